/* The flash page: takes a credential, looks whether there is something to install with it, and
 * tells the web component where. The credential goes into the path of the manifest, because the
 * component can send no header; it is kept nowhere else. */

const CREDENTIAL = /^(?:[\w-]+\.[\w-]+\.[\w-]+|[A-Za-z0-9]{32})$/;
/* Which chip the board has is known only when it is connected: the newest for each. */
const MANIFEST = "manifest.json?chip=any";

const part = (id) => document.getElementById(id);
const { folder, project } = part("flash").dataset;
const field = part("credential"); // none where the server asks for no credential

/** A failure whose message is for whoever reads the page. */
class Refused extends Error {}

async function manifestAt(url) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", credentials: "omit" });
  } catch {
    throw new Refused("The server does not answer. Is this computer still connected to it?");
  }
  if (!answer.ok) throw new Refused(await why(answer));
  try {
    return await answer.json();
  } catch {
    throw new Refused("What the server answered is no manifest.");
  }
}

async function why(answer) {
  if (answer.status === 401)
    return "The server does not accept this credential. It may have ended, have been revoked, or miss a character.";
  if (answer.status === 404)
    return `There is nothing to install for ${project}${field ? " with this credential" : ""}: no such project, or no release in it yet.`;
  if (answer.status >= 500) return "The server cannot answer at this moment. Try again in a minute.";
  const problem = await answer.json().catch(() => ({}));
  return `The server refuses: ${problem.detail ?? answer.status}.`;
}

async function look(url) {
  tell("Looking …");
  try {
    const manifest = await manifestAt(url);
    const complete = manifest.builds.filter((build) => build.parts?.length);
    if (!complete.length)
      throw new Refused(
        `${manifest.name} ${manifest.version} has no complete (factory) image, so it can only update boards that run already.`,
      );
    tell("");
    show(url, manifest, complete);
  } catch (error) {
    if (!(error instanceof Refused)) console.error(error);
    refuse(error instanceof Refused ? error.message : "What the server answered is no manifest.");
  }
}

function show(url, manifest, complete) {
  const chips = new Set(complete.map((build) => build.chipFamily));
  const others = manifest.builds.map((build) => build.chipFamily).filter((chip) => !chips.has(chip));
  part("found-name").textContent = `${manifest.name} ${manifest.version}`;
  part("chips").textContent = [...chips].join(", ");
  part("left-out-chips").textContent = [...new Set(others)].join(", ");
  part("left-out").hidden = !others.length;
  part("install").setAttribute("manifest", url);
  if (field) field.value = "";
  part("ask").hidden = true;
  part("found").hidden = false;
  part("found").focus();
}

function ask() {
  part("install").removeAttribute("manifest");
  part("found").hidden = true;
  part("ask").hidden = false;
  field?.focus();
}

function tell(text, bad = false) {
  part("answer").textContent = text;
  part("answer").classList.toggle("bad", bad);
  field?.toggleAttribute("aria-invalid", bad);
}

function refuse(text) {
  tell(text, true);
  field?.focus();
}

function submitted(event) {
  event.preventDefault();
  const credential = field.value.trim();
  if (CREDENTIAL.test(credential)) look(`${folder}${credential}/${MANIFEST}`);
  else
    refuse(
      "This is no credential: a token has three parts with dots between them, a device’s own credential has 32 letters and digits.",
    );
}

function start() {
  if (!window.isSecureContext) part("insecure").hidden = false;
  else if (!("serial" in navigator)) part("unsupported").hidden = false;
  else {
    part("form")?.addEventListener("submit", submitted);
    part("other")?.addEventListener("click", ask);
    part("again")?.addEventListener("click", () => look(`${folder}${MANIFEST}`));
    ask();
  }
}

start();
