@echo off
rem Makes .venv beside this script, installs MarketPulse into it and, asked for demo or test,
rem runs that. setup_extraction.sh does the same on Mac and Linux: change both together.
setlocal EnableExtensions DisableDelayedExpansion

set "hold="
set "log="
set "kind=run"
if "%~1"=="" goto doubleclick
if "%~1"=="-h" goto help
if "%~1"=="--help" goto help
if "%~1"=="/?" goto help
if "%~1"=="demo" goto begin
if "%~1"=="test" goto begintest
>&2 echo setup_extraction: unknown word "%~1"
>&2 call :usage
exit /b 2

:help
call :usage
exit /b 0

:usage
echo usage: setup_extraction.bat [demo^|test]
echo.
echo   (no word)   install MarketPulse into .venv beside this script
echo   demo        the same, then run: marketpulse demo
echo   test        install it with its test tools, then run the tests
echo.
echo Further words after demo or test are passed on. Python 3.11 or newer is needed;
echo set MARKETPULSE_PYTHON to choose which one.
exit /b 0

:doubleclick
rem The window that a double click opens would close before anyone has read what it says.
if defined CI goto begin
set "line=%CMDCMDLINE:"=%"
if not "%line:\setup_extraction.bat=%"=="%line%" set "hold=1"
goto begin

:begintest
set "kind=test"

:begin
set "from=%CD%"
cd /d "%~dp0" 2>nul || goto nofolder
if not exist pyproject.toml goto notwhole

rem pip must not wait for a password nobody sees, nor install outside .venv.
set "PIP_NO_INPUT=1"
set "PIP_USER=0"
set "PIP_DISABLE_PIP_VERSION_CHECK=1"
set "vpy=.venv\Scripts\python.exe"
set "stamp=.venv\.setup_stamp"
set "log=%TEMP%\marketpulse-setup-%RANDOM%.log"

rem Python's own words come without a percent sign or a double quote, which cmd would change.
set "probe=import sys; new = sys.version_info >= (3, 11);"
set "probe=%probe% print(('new ' if new else 'old ') + sys.version.split()[0])"
rem setup_extraction.sh says what the stamp is made of and why.
set "check=import hashlib, sys; from pathlib import Path;"
set "check=%check% kind, wanted = sys.argv[1:];"
set "check=%check% digest = lambda *parts: hashlib.sha256(ascii(parts).encode()).hexdigest()[:16];"
set "check=%check% read = lambda *names: [(str(p), p.read_bytes()) for n in names"
set "check=%check% for p in sorted([Path(n), *Path(n).rglob('*')])"
set "check=%check% if p.is_file() and '__pycache__' not in p.parts];"
set "check=%check% plan = read('pyproject.toml', '.ci/constraints.txt');"
set "check=%check% here = str(Path.cwd());"
set "check=%check% place = digest(here, sys.version_info[:2]);"
set "check=%check% test = place + '-test-' + digest(plan);"
set "check=%check% mine = test if kind == 'test' else place + '-run-' + digest(plan, read('marketpulse'));"
set "check=%check% stamp = Path('.venv/.setup_stamp');"
set "check=%check% old = stamp.read_text().strip() if stamp.exists() else place;"
set "check=%check% new = sys.version_info >= (3, 11) and wanted in ('', sys.version.split()[0]);"
set "check=%check% fits = new and old.startswith(place);"
set "check=%check% done = old in (mine, here.isascii() and test);"
set "check=%check% print('remake' if not fits else 'ready' if done else 'install', mine)"
rem Shows the end of a log, or the lines about the network and then succeeds.
set "show=import sys; lines = sys.stdin.buffer.readlines();"
set "show=%show% words = (b'Retrying', b'ConnectionError', b'ProxyError', b'SSLError', b'Max retries',"
set "show=%show% b'timed out', b'HTTP error', b'HTTPError', b'Could not fetch URL', b'from versions: none');"
set "show=%show% why = [line for line in lines if any(word in line for word in words)];"
set "show=%show% sys.stdout.buffer.writelines(b'  | ' + line for line in (why[-3:] or lines[-12:]));"
set "show=%show% sys.exit(not why)"

set "py="
set "old="
set "version="
if defined MARKETPULSE_PYTHON call :find
if defined MARKETPULSE_PYTHON if not defined py goto nopython
call :check
if not "%state%"=="install" goto decided
"%vpy%" -m pip --version >nul 2>nul || set "state=remake"
:decided
if "%state%"=="ready" goto ready
if "%state%"=="install" goto install

if not defined py call :find
if not defined py goto nopython
echo Making .venv with Python %version% ...
if exist .venv rmdir /s /q .venv 2>nul
if exist .venv goto novenv
mkdir .venv 2>nul
2>nul (>"%stamp%" echo unfinished) || goto readonly
call %py% -m venv .venv >"%log%" 2>&1 || goto venvfailed

:install
echo Installing MarketPulse (a minute or two the first time) ...
rem An interrupted run leaves this stamp behind, and the next run starts anew.
2>nul (>"%stamp%" echo unfinished) || goto readonly
set "constraint="
if exist .ci\constraints.txt set "constraint=--constraint .ci/constraints.txt"
if "%kind%"=="test" goto installtest
"%vpy%" -m pip install . %constraint% >"%log%" 2>&1 || goto pipfailed
goto installed
:installtest
rem 25.1 is the first pip that knows --group.
"%vpy%" -m pip install "pip>=25.1" %constraint% >"%log%" 2>&1 || goto pipfailed
"%vpy%" -m pip install --editable . --group dev %constraint% >"%log%" 2>&1 || goto pipfailed
:installed
call :check
>"%stamp%" echo %newstamp%

:ready
if exist "%log%" del "%log%" 2>nul
if "%~1"=="demo" goto demo
if "%~1"=="test" goto test
set "program=.venv\Scripts\marketpulse"
if /i not "%from%"=="%CD%" set program="%CD%\.venv\Scripts\marketpulse"
echo Ready.
echo Next: %program% demo      shows everything on a built-in example
echo       %program% --help    lists the commands
if defined hold pause
exit /b 0

:demo
.venv\Scripts\marketpulse.exe %*
exit /b %ERRORLEVEL%

:test
rem The same as python -m pytest; our own first word is dropped here, as cmd cannot do it safely.
"%vpy%" -c "import sys, pytest; sys.exit(pytest.main(sys.argv[2:]))" %*
exit /b %ERRORLEVEL%

rem Sets state to ready, install or remake, and newstamp to what .venv gets when it is ready.
:check
set "state=remake"
set "newstamp="
if not exist "%vpy%" exit /b 0
"%vpy%" -c "%check%" %kind% "%version%" >"%log%" 2>nul
for /f "usebackq tokens=1,2" %%a in ("%log%") do set "state=%%a"& set "newstamp=%%b"
exit /b 0

rem Sets py and version to the first Python that is new enough.
:find
if defined MARKETPULSE_PYTHON goto findnamed
for %%p in ("py -3.13" "py -3.12" "py -3.11" "py -3" "python") do if not defined py call :try %%~p
exit /b 0
:findnamed
call :try "%MARKETPULSE_PYTHON:"=%"
exit /b 0

rem The Microsoft Store's stand-in for python.exe prints nothing here, and so is passed over.
:try
set "answer="
call %* -c "%probe%" >"%log%" 2>nul
for /f "usebackq tokens=1,2" %%a in ("%log%") do set "answer=%%a"& set "number=%%b"
if "%answer%"=="new" goto found
if "%answer%"=="old" if not defined old set "old=%number%"
exit /b 0
:found
set py=%*
set "version=%number%"
exit /b 0

:nofolder
>&2 echo setup_extraction: cannot work in the folder "%~dp0".
>&2 echo Copy the whole MarketPulse folder from the network to this computer and run this again there.
goto fail

:notwhole
>&2 echo setup_extraction: there is no pyproject.toml beside this script.
>&2 echo Unpack the whole MarketPulse folder and run the script inside it.
goto fail

:nopython
if defined MARKETPULSE_PYTHON goto notnamed
if not defined old >&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, and found none.
if defined old >&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, and found only Python %old%.
>&2 echo Install it from https://www.python.org/downloads/ and tick "Add python.exe to PATH" there.
>&2 echo Then open a new Command Prompt window and run this again.
goto fail

:notnamed
set "was=no Python that runs"
if defined old set "was=Python %old%"
>&2 echo setup_extraction: MarketPulse needs Python 3.11 or newer, but MARKETPULSE_PYTHON
>&2 echo "%MARKETPULSE_PYTHON:"=%" is %was%.
>&2 echo Set it to the full path of a newer Python, or unset it, and run this again.
goto fail

:readonly
>&2 echo setup_extraction: cannot write the folder .venv in "%CD%".
>&2 echo Copy the whole MarketPulse folder to one of your own and run this again there.
goto fail

:venvfailed
call %py% -c "%show%" <"%log%" 1>&2
findstr /c:"ensurepip" /c:"No module named venv" "%log%" >nul || goto novenv
>&2 echo setup_extraction: Python %version% lacks its venv module.
>&2 echo Install the whole of Python from https://www.python.org/downloads/ and run this again.
goto fail

:novenv
>&2 echo setup_extraction: could not make .venv in "%CD%".
>&2 echo Close MarketPulse where it still runs, delete the folder .venv and run this again.
goto fail

:pipfailed
rem pip undid its own work: what .venv held before is still good.
del "%stamp%" 2>nul
"%vpy%" -c "%show%" <"%log%" 1>&2 && goto nonetwork
>&2 echo setup_extraction: pip could not install MarketPulse; its last lines are above.
>&2 echo Run this again; if it fails again, send those lines to whoever looks after MarketPulse.
goto fail

:nonetwork
>&2 echo setup_extraction: could not download what MarketPulse needs: are you on the internet
>&2 echo (and on the company's VPN)? Does the company need a proxy (set HTTPS_PROXY), a package server
>&2 echo of its own (set PIP_INDEX_URL) or its own certificate (set PIP_CERT)? Your IT desk knows.
>&2 echo Then run this again.

:fail
if exist "%log%" del "%log%" 2>nul
if defined hold pause
exit /b 1
