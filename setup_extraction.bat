@echo off
rem Finds a Python that is new enough and hands over to marketpulse\install.py, which makes .venv
rem beside this script. setup_extraction.sh does the same on Mac and Linux: change both together.
setlocal EnableExtensions DisableDelayedExpansion

rem The window that a double click opens would close before anyone has read what it says.
set "hold="
set "line=%CMDCMDLINE:"=%"
if "%~1"=="" if not defined CI if not "%line:\setup_extraction.bat=%"=="%line%" set "hold=1"

set "install=%~dp0marketpulse\install.py"
if not exist "%install%" goto notwhole

rem cmd leaves this text alone: it has no percent sign and no double quote.
set "probe=import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))"
set "log=%TEMP%\marketpulse-setup-%RANDOM%.log"
set "py="
set "old="
if defined MARKETPULSE_PYTHON goto named
for %%p in ("py -3.13" "py -3.12" "py -3.11" "py -3" "python") do if not defined py call :try %%~p
if not defined py call :try "%~dp0.venv\Scripts\python.exe"
goto tried
:named
call :try "%MARKETPULSE_PYTHON:"=%"
:tried
if exist "%log%" del "%log%" 2>nul
if not defined py goto nopython

rem -P: the modules beside install.py are not Python's own.
if defined hold goto held
%py% -P "%install%" %*
exit /b %ERRORLEVEL%
:held
rem call reads this line twice. The path comes with the second time: its percent signs stay.
call %py% -P "%%install%%"
set "code=%ERRORLEVEL%"
pause
exit /b %code%

rem Sets py if this Python is new enough, else old to its version, if it has one.
:try
call %* -c "%probe%" >"%log%" 2>nul
if not errorlevel 1 goto found
for /f "usebackq" %%a in ("%log%") do if not defined old set "old=Python %%a"
exit /b 0
:found
rem The Microsoft Store's stand-in for python.exe prints nothing.
for /f "usebackq" %%a in ("%log%") do set py=%*
exit /b 0

:notwhole
>&2 echo setup_extraction: there is no folder marketpulse beside this script.
>&2 echo Unpack the whole MarketPulse folder and run the script inside it.
goto fail

:nopython
if defined MARKETPULSE_PYTHON goto notnamed
if not defined old >&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, and found none.
if defined old >&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, and found only %old%.
>&2 echo Install it from https://www.python.org/downloads/ and tick "Add python.exe to PATH" there.
>&2 echo Then open a new Command Prompt window and run this again.
goto fail

:notnamed
if not defined old set "old=no Python that runs"
>&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, but MARKETPULSE_PYTHON
>&2 echo "%MARKETPULSE_PYTHON:"=%" is %old%.
>&2 echo Set it to the full path of a newer Python, or unset it, and run this again.

:fail
if defined hold pause
exit /b 1
