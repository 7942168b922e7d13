/* A blank ESP32 on a serial port, as far as a loader needs it: its ROM takes the stub into RAM, the
 * stub erases and writes the flash. It stands in for `navigator.serial` and is `window.board`.
 * (Commands: "Serial Protocol" in the esptool documentation; packets are framed by SLIP.) */
(() => {
  const [END, ESC, ESC_END, ESC_ESC] = [0xc0, 0xdb, 0xdc, 0xdd];
  const [MEM_END, SYNC, READ_REG, DEFLATE_DATA, ERASE_FLASH] = [0x06, 0x08, 0x0a, 0x11, 0xd0];
  const REGISTERS = new Map([
    [0x40001000, 0x00f01d83], // which chip it is: an ESP32
    [0x3ff42080, 0x001640ef], // what its flash answers when asked who it is: 4 MB
  ]);

  const word = (bytes, at) => new DataView(bytes.buffer).getUint32(at, true);

  class Board {
    erased = false;
    written = []; // the compressed bytes, as they came
    opened = 0;
    readable = null;
    writable = null;

    async open() {
      this.opened += 1;
      this.packet = null;
      this.readable = new ReadableStream({ start: (line) => (this.line = line) });
      this.writable = new WritableStream({ write: (bytes) => bytes.forEach((b) => this.take(b)) });
    }

    async close() {
      this.readable = this.writable = null;
    }

    async setSignals() {}
    getInfo = () => ({});
    addEventListener() {}
    removeEventListener() {}

    take(byte) {
      if (byte === END) {
        if (this.packet?.length) this.obey(Uint8Array.from(this.packet));
        this.packet = [];
      } else if (byte === ESC) this.escaped = true;
      else if (this.packet) {
        const plain = byte === ESC_END ? END : ESC;
        this.packet.push(this.escaped ? plain : byte);
        this.escaped = false;
      }
    }

    obey(packet) {
      const command = packet[1];
      if (packet[0] !== 0 || packet.length < 8) return; // what is sent to look for Improv
      if (command === ERASE_FLASH) this.erased = true;
      if (command === DEFLATE_DATA) this.written.push(...packet.subarray(8 + 16));
      const value = command === READ_REG ? (REGISTERS.get(word(packet, 8)) ?? 0) : 0;
      if (command === SYNC) for (let n = 0; n < 8; n++) this.answer(command, 0x20120707);
      else this.answer(command, value);
      if (command === MEM_END) this.say([...new TextEncoder().encode("OHAI")]);
    }

    answer(command, value) {
      const bytes = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
      this.say([1, command, 2, 0, ...bytes, 0, 0]);
    }

    say(bytes) {
      const escaped = bytes.flatMap((b) =>
        b === END ? [ESC, ESC_END] : b === ESC ? [ESC, ESC_ESC] : [b],
      );
      this.line.enqueue(Uint8Array.from([END, ...escaped, END]));
    }
  }

  window.board = new Board();
  navigator.serial.requestPort = async () => {
    if (window.board.hidden) throw new DOMException("nothing chosen", "NotFoundError");
    return window.board;
  };
})();
