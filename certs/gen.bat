@echo off
rem Makes ca_cert.pem, ca_key.pem, server_cert.pem and server_key.pem in this folder.
rem   certs\gen.bat                            for this host's names and addresses
rem   certs\gen.bat ota.example.com 10.0.0.5   for these
rem   certs\gen.bat --help                     for the rest
setlocal
rem The dot: a path that ends in a backslash would swallow the closing quote.
set "OTA_CERTS=%~dp0."
if exist "%~dp0..\.venv\Scripts\ota_http_server.exe" (
    "%~dp0..\.venv\Scripts\ota_http_server.exe" certs --out "%OTA_CERTS%" %*
    goto end
)
where ota_http_server >nul 2>nul
if not errorlevel 1 (
    ota_http_server certs --out "%OTA_CERTS%" %*
    goto end
)
python -m ota_http_server certs --out "%OTA_CERTS%" %*
:end
exit /b %errorlevel%
