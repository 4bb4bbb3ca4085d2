// state/detect_rules.cpp: the shipped table. Its lines are explained in docs/detection.md; tests/corpus/commands.txt
// says what it must make of which command line.
#include "state/detect_table.h"

namespace aa {
namespace {

constexpr std::string_view kRules = R"table(
# ---- families: who is what; NAME:OPTIONS only with one of these options ----------------------------------------------
family shell bash sh dash zsh ksh ksh93 mksh oksh pdksh lksh yash ash fish csh tcsh rbash rksh rzsh posh nu elvish xonsh
family newshell nu elvish xonsh
family busybox busybox toybox
family eval eval source .
family downloader curl wget wget2 aria2c axel lwp-download lwp-request fetch http https xh curlie httpie GET ftp lftp sftp tftp scp rsync:-e,--rsh
family downloader lynx:-source,-dump w3m:-dump,-dump_source links:-source,-dump elinks:-source,-dump
family netclient nc ncat netcat nc.openbsd nc.traditional socat telnet cryptcat sbd pwncat
family netclient openssl:s_client
family python python pypy ipython micropython
family perl perl
family ruby ruby irb jruby
family node node nodejs deno bun tsx ts-node qjs
family php php php-cgi php-fpm
family lua lua luajit texlua
family awk awk gawk mawk nawk original-awk
family tclsh tclsh wish expect
family rscript rscript julia octave
family powershell pwsh powershell
family decoder base64:-d,-D,--decode base32:-d,--decode base58:-d basenc:-d,--decode b64decode uudecode openssl:-d,-a,-base64,-A xxd:-r gpg:-d,--decrypt age:-d,--decrypt
family decoder tr:n-za-m,N-ZA-M,n-za-mN-ZA-M,N-ZA-Mn-za-m,[n-za-m],[N-ZA-M],P-~!-O
family decoder rev zcat gunzip bzcat xzcat zstdcat lz4cat bunzip2 unxz gzip:-d xz:-d bzip2:-d zstd:-d funzip 7z:-so 7za:-so 7zr:-so unzip:-p tar:-O,--to-stdout
family docker docker podman nerdctl ctr crictl docker-compose lxc incus kubectl oc machinectl
family editor vi vim nvim view vimdiff ed ex emacs nano
family injector gdb lldb frida
family debugger gdb lldb strace ltrace gcore perf-trace frida frida-trace rr
family scheduler at batch crontab
family unit systemd-run systemctl loginctl initctl service start-stop-daemon
family terminal tmux screen byobu zellij dtach abduco reptyr
family bus busctl dbus-send gdbus qdbus dbus-launch
family namespace nsenter
family remote ssh dbclient autossh rsh rlogin
family tar tar bsdtar
family gitlike git hg
family loader ld-linux-x86-64.so ld-linux-aarch64.so ld-linux-armhf.so ld-linux.so ld-musl-x86 ld.so
family reader read mapfile readarray
family make make gmake bmake ninja just
family installer pip pipx uvx npx npm pnpm yarn bunx gem cargo go easy_install brew dpkg rpm apt apt-get dnf
family writer tee dd truncate sed:-i,--in-place
family placer cp mv install ln rsync
family rsync rsync
family resolver dig host nslookup drill kdig
family store aws gsutil gcloud az rclone gh glab s3cmd ipfs
family offerer ttyd gotty websocketd telnetd tmate sshx wetty shellinaboxd dropbear sshd
family jq jq yq
family fetchrun uv uvx pipx
family database sqlite3 psql mysql mariadb

# ---- how they take code ------------------------------------------------------------------------------------------------
runner newshell inline=-c,--command shell
runner shell inline=-c,--command values=-o,-O,+o,+O files=--rcfile,--init-file never=-n,-nv,-vn,-nx,-xn shell
runner busybox inline=-c shell
runner eval shell
runner python inline=-c module=-m values=-W,-X,-Q
runner perl inline=-e,-E values=-I
runner ruby inline=-e values=-r,-I,-C
runner node inline=-e,-p,--eval,--print,eval values=-r,--require,--import,--loader module=run,install,test,x,add,task,repl
runner php inline=-r,-B,-R values=-d,-c,-f
runner lua inline=-e values=-l
runner rscript inline=-e,--eval
runner awk texts files=-f,--file values=-v,-F
runner editor texts
runner gitlike texts
runner tar texts commands=--checkpoint-action,--to-command,--use-compress-program,-I,-F,--info-script,--rsh-command
runner make commands=--eval values=-C,-I,-j,-l,-o,-W files=-f,--file,--makefile
runner rsync commands=-e,--rsh
runner debugger texts
runner remote commands=-o values=-b,-B,-c,-D,-E,-e,-F,-I,-i,-J,-L,-l,-m,-O,-o,-p,-Q,-R,-S,-W,-w
runner tclsh values=-encoding inline=-c
runner powershell inline=-c,-Command,-command,-EncodedCommand,-enc,-e,-ec values=-ExecutionPolicy,-ep,-ex,-w,-WindowStyle

# ---- programs that run another one -------------------------------------------------------------------------------------
wrapper sudo values=-u,-g,-h,-p,-C,-D,-R,-T,-r,-t,-U,--user,--group,--chdir stop=-l,-v,-V,-K,-k,--list assignments
wrapper doas,pkexec values=-u,-C,--user
wrapper env split=-S,--split-string values=-u,-C,--unset,--chdir assignments
wrapper nohup,setsid,exec,builtin,catchsegv,dbus-run-session,fakeroot,eatmydata,unbuffer,proxychains,proxychains4,torsocks,tsocks,xvfb-run,rlwrap,setarch,linux64,linux32,chronic,cgexec,ltrace values=-a,-n,-f,-e,-g
wrapper command stop=-v,-V
wrapper busybox,toybox stop=--list,--help
wrapper time,chrt,taskset,ionice,nice,stdbuf,choom,numactl,prlimit values=-n,-c,-p,-i,-o,-e,-f
wrapper strace values=-e,-o,-p,-s,-u,-P,-E,-a,-b,-I,-O,-S,-X
wrapper timeout positionals=1 values=-k,-s,--signal,--kill-after
wrapper chroot positionals=1 values=--userspec,--groups
wrapper unshare,nsenter,bwrap,firejail,runuser,capsh,setpriv values=-t,--target,-S,-G,-u,--reuid,--regid,--ro-bind,--bind,--dev,--proc,--tmpfs script=-c,--command
wrapper su,sg script=-c,--command
wrapper script script=-c,--command
wrapper tmux joined positionals=1 values=-L,-S,-f,-s,-n,-c,-t,-x,-y,-F,-e
wrapper screen values=-S,-dmS,-dms,-t,-s,-h,-p,-c,-e stop=-r,-ls,-list,-x,-X,-wipe
wrapper flock positionals=1 script=-c,--command values=-w,-E,--timeout
wrapper watch joined values=-n,-d,--interval
wrapper eval joined
wrapper trap first
wrapper xargs feeds values=-I,-n,-P,-L,-d,-a,-E,-s,-i,--max-args,--max-procs,--replace,--delimiter,--arg-file
wrapper parallel feeds joined values=-j,--jobs
wrapper entr feeds
wrapper find,fd,fdfind exec=-exec,-execdir,-ok,-okdir,-x,-X
wrapper ld-linux-x86-64.so,ld-linux-aarch64.so,ld-linux-armhf.so,ld-linux.so,ld-musl-x86,ld.so values=--library-path,--preload,--audit,--argv0,--inhibit-rpath
wrapper systemd-run values=-p,-u,--unit,--slice,--property,-E,-M,-H,--uid,--gid,--on-calendar,--on-active,--description stop=--version,--help
wrapper setuidgid,chpst,softlimit positionals=1 values=-u,-U
wrapper poetry,pipenv,uv,rye,hatch,pdm stop=install,add,lock,sync,build,publish,pip,venv,shell,init positionals=1
wrapper faketime positionals=1

# ---- rules: the worst counts; of equal ones the first --------------------------------------------------------------------
rule memfd-runc fileless-exec warning | exec ; memfd ; path memfd:runc_cloned* *memfd:runc_cloned* | A container runtime's copy of itself is run from memory.
rule memfd fileless-exec critical | exec ; memfd ; elsewhere memfd:runc_cloned* *memfd:runc_cloned* | The program exists in memory only; no file on disk holds it.
rule deleted fileless-exec critical | exec ; deleted | The program's file has no name any more; nobody can look at it afterwards.
rule shell-on-network reverse-shell critical | exec ; inet | A program reads its standard input from a network connection, as a shell handed to somebody else does.
rule shell-to-device reverse-shell critical | line ; redirect *>/dev/tcp/* *</dev/tcp/* *>&/dev/tcp/* *>/dev/udp/* *</dev/udp/* *>&/dev/udp/* ; any "bash -i" "sh -i" "sh <&" "sh 0<&" "bash <&" "eval " "-i >&" "-i <>" | A shell is bound to a network connection.
rule variable-from-device reverse-shell critical | command variable ; redirect *<>/dev/tcp/* *</dev/tcp/* *<>/dev/udp/* *</dev/udp/* ; any &3 &4 &5 &6 &7 &8 &9 read | What comes over a network connection is run.
rule device-to-shell reverse-shell critical | command shell ; stdin ; any </dev/tcp/ </dev/udp/ <>/dev/tcp/ >&/dev/tcp/ &>/dev/tcp/ >/dev/tcp/ >/dev/udp/ | A shell is bound to a network connection.
rule netclient-exec reverse-shell critical | command netclient ; elsewhere openssl */openssl telnet */telnet ; option -e -c --exec --sh-exec --lua-exec | A network tool hands its connection to another program.
rule socat-exec reverse-shell critical | command netclient ; any EXEC: exec: SYSTEM: system: SHELL: shell: | A network tool hands its connection to another program.
rule pipe-to-network reverse-shell critical | pipe stdin-shell netclient | A shell's output goes into a network connection while its commands come from elsewhere.
rule network-to-shell reverse-shell critical | flow netclient,network shell,busybox,eval,itself,python,perl,ruby,node,php | Commands that come from a network connection are run.
rule python-reverse reverse-shell critical | command python ; any socket ; any dup2 pty.spawn /bin/sh /bin/bash "'sh'" "\"sh\"" "'bash'" "\"bash\"" ; any connect create_connection bind | A Python program ties a shell to a network connection.
rule python-remote-commands reverse-shell critical | command python ; any socket ; any subprocess os.system os.popen ; any recv makefile stdin= fileno ; any connect create_connection bind | A Python program runs what comes over a network connection.
rule perl-reverse reverse-shell critical | command perl ; any Socket IO::Socket ; any "exec" system open(STDIN fdopen qx | A Perl program ties a shell to a network connection.
rule ruby-reverse reverse-shell critical | command ruby ; any TCPSocket Socket. TCPServer ; any exec spawn popen system "`" | A Ruby program ties a shell to a network connection.
rule php-reverse reverse-shell critical | command php ; any fsockopen stream_socket_client socket_create ; any exec system proc_open popen passthru "`" | A PHP program ties a shell to a network connection.
rule node-reverse reverse-shell critical | command node ; any net.connect net.Socket createConnection "require('net')" "require(\"net\")" require("net") node:net Deno.connect Bun.connect ; any spawn exec child_process Command( | A JavaScript program ties a shell to a network connection.
rule lua-reverse reverse-shell critical | command lua ; any socket ; any popen os.execute | A Lua program ties a shell to a network connection.
rule awk-reverse reverse-shell critical | command awk ; any /inet/ ; any getline "|&" | An awk program talks to the network by itself.
rule tcl-reverse reverse-shell critical | command tclsh ; has "socket" ; any exec eval | A Tcl program ties a shell to a network connection.
rule zsh-reverse reverse-shell critical | line ; any zsh/net/tcp ztcp | A shell opens a network connection by its own module.
rule shell-server reverse-shell critical | command offerer ; without --version --help -h -V -t -T -v | A shell is offered to whoever connects over the network.
rule powershell-reverse reverse-shell critical | command powershell ; any TCPClient TcpClient ; any iex Invoke-Expression GetStream | A PowerShell program ties a shell to a network connection.

rule download-to-shell pipe-to-shell critical | flow downloader shell,busybox,eval,itself,python,perl,ruby,node,php,lua,rscript,tclsh,powershell,awk | A download is run without having been looked at.
rule store-to-shell pipe-to-shell critical | flow store shell,busybox,eval,itself,python,perl,ruby,node,php ; any "gh api" "gh gist" "gh release download" "glab api" "s3 cp" "gsutil cat" "gsutil cp" "storage cat" "storage cp" "rclone cat" "rclone copy" "az storage" "s3cmd get" "ipfs cat" | A download is run without having been looked at.
rule fetched-by-code pipe-to-shell critical | flow python,perl,ruby,node,php shell,busybox,eval,itself ; any urlopen requests.get http.client httpx fetch( LWP HTTP::Tiny open-uri Net::HTTP https.get file_get_contents("http file_get_contents('http | A download is run without having been looked at.
rule resolver-to-shell pipe-to-shell critical | flow resolver shell,busybox,eval,itself,python,perl | What a name server answers is run.
rule fish-download pipe-to-shell critical | command shell ; path fish */fish ; any "eval (" "source (" ; any "(curl " "(wget " | A download is run without having been looked at.
rule download-install pipe-to-shell warning | pipe downloader installer ; any "dpkg -i" "dpkg --install" "rpm -i" "rpm -U" "apt install" "apt-get install" "dnf install" "pip install" "pip3 install" "npm install" "npm i " "gem install" "cargo install" | A download is installed without having been looked at; its installation scripts run.
rule remote-to-shell pipe-to-shell warning | flow remote shell,busybox,eval,itself | What another machine sends is run without having been looked at.
rule download-to-eval pipe-to-shell critical | pipe downloader,netclient eval,variable | A download is run line by line.
rule download-read pipe-to-shell critical | pipe downloader,netclient reader ; any "eval $" "sh -c $" "source $" | A download is read into a variable, and that is run.
rule decoded-to-eval encoded-payload critical | pipe decoder eval,variable | Encoded text is unpacked and run line by line.
rule download-to-make pipe-to-shell critical | pipe downloader make ; any "-f -" -f- /dev/stdin --file=- | A download is run as a makefile.
rule install-address pipe-to-shell warning | command installer ; word http://*.tgz http://*.tar.* http://*.whl http://*.zip https://*.tgz https://*.tar.* https://*.whl https://*.zip http://*.deb http://*.rpm git+http://* git+https://* git+ssh://* git+git://* *@git+http://* *@git+https://* | Software is installed straight from a network address; its installation scripts run.
rule install-git pipe-to-shell warning | command installer ; any "install --git " "install --git=" | Software is built and installed straight from a network address.
rule python-download-run pipe-to-shell critical | command python ; any urlopen urlretrieve requests.get httpx http.client urllib3 wget.download ; any exec( ~eval( builtins.eval( builtins__.eval( os.system subprocess popen runpy ~compile( builtins.compile( | A Python program downloads code and runs it.
rule perl-download-run pipe-to-shell critical | command perl ; any LWP HTTP::Tiny Net::HTTP ; any eval system exec | A Perl program downloads code and runs it.
rule ruby-download-run pipe-to-shell critical | command ruby ; any open-uri Net::HTTP URI.open open( ; any http:// https:// ; any eval system exec instance_eval | A Ruby program downloads code and runs it.
rule php-download-run pipe-to-shell critical | command php ; any http:// https:// ftp:// ; any ~eval( include( require( include_once require_once "include \"" "require \"" "include '" "require '" system( ~exec( shell_exec( passthru( popen( proc_open( ; any file_get_contents include require fopen copy( curl_ | A PHP program downloads code and runs it.
rule node-download-run pipe-to-shell critical | command node ; any fetch( https.get http.get axios got( ; any ~eval Function( execSync ~exec( spawn vm.run child_process | A JavaScript program downloads code and runs it.
rule node-import pipe-to-shell critical | command node ; any import('http: import('https: import("http: import("https: import(`http "from 'http:" "from 'https:" "from \"http:" "from \"https:" | A JavaScript program loads its code from a network address.
rule deno-url pipe-to-shell critical | command node ; word run x ; word http://* https://* | Code is run straight from a network address.
rule run-url pipe-to-shell critical | command fetchrun ; any "run http://" "run https://" | Code is run straight from a network address.
rule powershell-download-run pipe-to-shell critical | command powershell ; any DownloadString Invoke-WebRequest iwr irm Invoke-RestMethod ; any iex IEX Invoke-Expression | A PowerShell program downloads code and runs it.
rule editor-download pipe-to-shell critical | command editor ; any ":!curl" ":!wget" "!curl" "!wget" | An editor is told to download and run something.

rule decoded-to-shell encoded-payload critical | flow decoder shell,busybox,eval,itself,python,perl,ruby,node,php,lua,powershell | Encoded or packed text is unpacked and run at once.
rule filter-decoded encoded-payload critical | flow jq shell,busybox,eval,itself ; any @base64d | Encoded or packed text is unpacked and run at once.
rule printed-to-shell encoded-payload critical | flow awk shell,eval,itself ; any %c | Text that was made unreadable is made readable by a program and run.
rule generated-to-shell encoded-payload critical | flow python,perl,ruby,node,php shell,eval,itself ; any fromhex b64decode decode_base64 decode64 rot13 unhexlify "chr(" fromCharCode "pack(" | Text that was made unreadable is made readable by a program and run.
rule python-encoded encoded-payload critical | command python ; any b64decode b32decode b85decode a85decode fromhex unhexlify decompress( codecs.decode rot13 ; any exec( ~eval( builtins.eval( builtins__.eval( system( subprocess popen runpy marshal.loads pickle.loads ; none b64decode(subprocess b64decode(os.popen | A Python program unpacks encoded text and runs it.
rule perl-encoded encoded-payload critical | command perl ; any decode_base64 "unpack" MIME::Base64 "pack(" "pack q" ; any eval system exec | A Perl program unpacks encoded text and runs it.
rule ruby-encoded encoded-payload critical | command ruby ; any decode64 unpack ; any eval system exec | A Ruby program unpacks encoded text and runs it.
rule php-encoded encoded-payload critical | command php ; any base64_decode gzinflate gzuncompress str_rot13 hex2bin convert_uudecode ; any eval( assert( system( exec( create_function passthru( shell_exec( | A PHP program unpacks encoded text and runs it.
rule node-encoded encoded-payload critical | command node ; any "'base64'" "\"base64\"" base64 atob( "'hex'" fromCharCode ; any eval( Function( execSync exec( spawn vm.run | A JavaScript program unpacks encoded text and runs it.
rule powershell-encoded encoded-payload critical | command powershell ; option -enc -EncodedCommand -encodedcommand -ec -e -encoded -EncodedArguments | PowerShell is given its program encoded.
rule powershell-frombase encoded-payload critical | command powershell ; any FromBase64String | PowerShell unpacks encoded text.

rule docker-escape escape critical | command docker ; any --privileged "-v /:/" "-v=/:/" "--volume /:/" "--volume=/:/" docker.sock "src=/," "source=/," --pid=host "--pid host" --userns=host "--mount type=bind,source=/" hostPID hostPath --cap-add=ALL --cap-add=all --cap-add=SYS_ADMIN --cap-add=SYS_PTRACE --cap-add=SYS_MODULE --cap-add=CAP_SYS_ADMIN "--cap-add ALL" "--cap-add SYS_" --device=/dev/sd --device=/dev/nvme --device=/dev/vd --device=/dev/mem "--device /dev/" apparmor=unconfined seccomp=unconfined | A container with the host's own rights or files is started: what runs there is out of sight.
rule socket-docker escape critical | command downloader,netclient ; any docker.sock podman.sock containerd.sock crio.sock /run/systemd/private | A container manager is spoken to behind its program's back: what it starts is out of sight.
rule nsenter-init escape critical | command namespace ; any "-t 1" "-t1" "--target 1" --target=1 | Process 1's namespaces are entered.
rule memory-write escape critical | line ; redirect *>/proc/*/mem | Another process's memory is written: its code would no longer be its own.
rule memory-copy escape critical | command writer,placer ; word /proc/*/mem of=/proc/*/mem | Another process's memory is written: its code would no longer be its own.
rule proc-mem escape critical | command python,perl,ruby,node,php ; any /proc/ ; any /mem' /mem" "/mem " /mem) | Another process's memory is opened.
rule ptrace-python escape critical | command python,perl,ruby ; any process_vm_writev pidfd_getfd PTRACE_ATTACH PTRACE_POKE "ptrace(" | Another process is entered.
rule debugger-attach escape critical | command injector ; option -p --pid -attach --attach ; none --args ; any call system exec shell | A debugger attaches to a process and makes it do something.
rule debugger-batch escape critical | command injector ; any "attach " ; any call system exec shell | A debugger attaches to a process and makes it do something.
rule debugger escape warning | command debugger ; none --args ; option -p --pid --attach --attach-pid | A debugger attaches to a running process.
rule ssh-local escape critical | command remote ; operand localhost */localhost *@localhost 127.* */127.* *@127.* ::1 */::1 *@::1 0.0.0.0 */0.0.0.0 *@0.0.0.0 [::1] */[::1] *@[::1] ip6-localhost */ip6-localhost *@ip6-localhost | A connection to this very machine: what runs there is out of sight.
rule cron-write escape critical | line ; redirect *>/etc/cron* *>/var/spool/cron* *>/etc/systemd/system* *>/etc/init.d* *>*/.config/systemd/* *>*/.config/autostart/* *>/etc/rc.local *>/etc/profile.d* *>/etc/ld.so.preload *>/etc/udev/rules.d* *>*/.ssh/authorized_keys | Something is put where the system will run it later, or let in by it, out of sight.
rule cron-place escape critical | command writer ; word /etc/cron* /var/spool/cron/* /etc/systemd/system/* /etc/init.d/* */.config/systemd/user/* */.config/autostart/* /etc/rc.local /etc/profile.d/* /etc/ld.so.preload /etc/udev/rules.d/* /etc/update-motd.d/* */.ssh/authorized_keys of=/etc/cron* of=*/.ssh/authorized_keys | Something is put where the system will run it later, or let in by it, out of sight.
rule cron-copy escape critical | command placer ; target /etc/cron* /var/spool/cron/* /etc/systemd/system/* /etc/init.d/* */.config/systemd/user/* */.config/autostart/* /etc/rc.local /etc/profile.d/* /etc/ld.so.preload /etc/udev/rules.d/* /etc/update-motd.d/* */.ssh/authorized_keys | Something is put where the system will run it later, or let in by it, out of sight.
rule cron-copy-into escape critical | command placer ; any "-t /etc/cron" -t/etc/cron --target-directory=/etc/cron "-t /etc/systemd" --target-directory=/etc/systemd "-t /etc/profile.d" --target-directory=/etc/profile.d | Something is put where the system will run it later, or let in by it, out of sight.
rule crontab escape critical | command scheduler ; path crontab */crontab ; without -l -r --list -V -h --help --version | A job is given to cron, which runs it out of sight.
rule at-job escape critical | command scheduler ; path at batch */at */batch ; without -l -r -d -c -V | A job is given to the at daemon, which runs it out of sight.
rule systemd-run escape critical | command unit ; path systemd-run */systemd-run ; without --version --help -h ; none --scope | systemd starts the program: it is nobody's child here and out of sight.
rule systemd-scope escape warning | command unit ; path systemd-run */systemd-run ; has --scope | The program moves into a scope of its own.
rule systemctl-start escape warning | command unit ; path systemctl */systemctl service */service initctl */initctl ; word start restart enable reenable link edit try-restart reload-or-restart set-environment import-environment | A service is started or set up: what it does is out of sight.
rule linger escape warning | command unit ; path loginctl */loginctl ; word enable-linger | Services of a user may run without that user.
rule bus-unit escape critical | command bus ; any StartTransientUnit StartUnit EnableUnitFiles LinkUnitFiles org.freedesktop.DBus.StartServiceByName StartServiceByName | The service manager is asked to start something: it is out of sight.
rule bus-call escape warning | command bus ; any "call " --dest --method set-property org.freedesktop.systemd1 ; none "busctl introspect" "busctl tree" "busctl status" get-property "busctl --user introspect" | Another service is asked over the bus to do something.
rule terminal-server escape warning | command terminal ; word new new-session new-window neww send-keys send split-window splitw respawn-pane run-shell run respawn-window if-shell pipe-pane kill-server | A terminal server does it: its programs are the server's children, not this one's.
rule screen-server escape warning | command terminal ; path screen */screen ; option -m -X | A terminal server does it: its programs are the server's children, not this one's.
rule docker-run escape warning | command docker ; word run exec create start up shell launch cp debug attach container apply | A container manager starts the program: it is out of sight.
rule namespace-enter escape warning | command namespace | Another process's namespaces are entered.

rule temp-direct-loader exec-from-temp warning | command loader ; word /tmp/* /var/tmp/* /dev/shm/* /run/user/* | A program in a folder that everybody may write to is run through the dynamic loader.
rule temp-shm exec-from-temp warning | exec ; path /dev/shm/* /run/shm/* /run/user/* /run/lock/* /dev/mqueue/* | A program is run from a folder that lives in memory.
rule temp-go-build exec-from-temp info | exec ; path /tmp/go-build* /tmp/tmp*/meson-* /tmp/cc* /tmp/rustc* /tmp/nix-build* /tmp/pip-* /tmp/cargo-* | A build's own product is run from a folder for temporary files.
rule temp exec-from-temp warning | exec ; path /tmp/* /var/tmp/* ; elsewhere /tmp/go-build* /tmp/tmp*/meson-* /tmp/cc* /tmp/rustc* /tmp/nix-build* /tmp/pip-* /tmp/cargo-* | A program is run from a folder that everybody may write to.
rule temp-build-command exec-from-temp info | command itself ; path /tmp/go-build* /tmp/tmp*/meson-* /tmp/cc* /tmp/rustc* /tmp/nix-build* /tmp/pip-* /tmp/cargo-* | A build's own product is run from a folder for temporary files.
rule temp-command exec-from-temp warning | command itself ; path /tmp/* /var/tmp/* /dev/shm/* /run/user/* ; elsewhere /tmp/go-build* /tmp/tmp*/meson-* /tmp/cc* /tmp/rustc* /tmp/nix-build* /tmp/pip-* /tmp/cargo-* | A program is run from a folder that everybody may write to.
rule temp-script exec-from-temp warning | command shell,eval ; operand /tmp/* /var/tmp/* /dev/shm/* /run/shm/* /run/user/* | A shell script is run from a folder that everybody may write to.
rule temp-code exec-from-temp info | command python,perl,ruby,node,php,lua ; operand /tmp/* /var/tmp/* /dev/shm/* /run/shm/* | A script is run from a folder that everybody may write to.

rule renamed-shell shell warning | command shell,busybox ; renamed | A shell is run under another name.
rule renamed-download downloader warning | command downloader,netclient ; renamed | A program for the network is run under another name.
rule renamed-code interpreter info | command python,perl,ruby,node,php,lua,rscript,tclsh,powershell ; renamed | An interpreter is run under another name.
rule tar-action shell warning | command tar ; any checkpoint-action=exec --to-command --rsh-command --info-script "-I sh" "-I bash" "-I /bin/" "-I /usr/bin/" | An archiver is told to run another program.
rule tar-filter shell warning | command tar ; any --use-compress-program= ; none --use-compress-program=zstd --use-compress-program=pigz --use-compress-program=gzip --use-compress-program=xz --use-compress-program=pixz --use-compress-program=bzip2 --use-compress-program=pbzip2 --use-compress-program=lz4 --use-compress-program=lzop --use-compress-program=brotli --use-compress-program=unzstd --use-compress-program=unpigz | An archiver is told to run another program.
rule editor-shell shell warning | command editor ; any ":!" "!sh" "!bash" "shell-command" "system(" ":sh" ":terminal" | An editor is told to start a shell.
rule database-shell shell warning | command database ; any .shell .system "\\! " "system " | A database client is told to start a shell.
rule git-shell shell warning | command gitlike ; any core.sshCommand= core.fsmonitor= alias. credential.helper=! "ext::" protocol.ext.allow --upload-pack --receive-pack diff.external= ; any "-c " ext:: --upload-pack --receive-pack | A version control program is told to run another one.
rule git-tool shell warning | command gitlike ; any core.pager= core.editor= core.hooksPath= ; any "-c " ; none core.pager=cat core.pager=less "core.pager= " core.editor=true core.editor=: core.hooksPath=/dev/null | A version control program is told to run another one.
rule awk-shell shell warning | command awk ; any "system(" "| getline" "|getline" "| \"sh" "|\"sh" "| \"bash" "|\"bash" "| \"/bin/" "|\"/bin/" | An awk program starts a shell.
rule network-device downloader info | line ; redirect *>/dev/tcp/* *</dev/tcp/* *>&/dev/tcp/* *>/dev/udp/* *</dev/udp/* *>&/dev/udp/* | A shell opens a network connection by itself.
rule download downloader info | command downloader | Something is fetched from, or sent to, the network.
rule network-tool downloader info | command netclient | A tool that speaks to any network address is run.
rule inline-code interpreter info | command python,perl,ruby,node,php,lua,rscript,tclsh,powershell ; option -c -e -E -r -p --eval --print -Command | An interpreter is given its program on the command line.
rule stdin-code interpreter info | command python,perl,ruby,node,php,lua,rscript,tclsh,powershell ; stdin | An interpreter reads its program from its input.
rule shell shell info | command shell,eval | A shell was started.
)table";

}  // namespace

std::string_view shipped_detect_rules() {
  return kRules;
}

}  // namespace aa
