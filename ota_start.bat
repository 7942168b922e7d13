@echo off
rem Starts the server with the options given, for example: ota_start.bat --no-certs --port 8071
cd /d "%~dp0"
python http_server.py %*
