// state/detect_rules.cpp: the shipped table. Its lines are explained in docs/detection.md; tests/corpus/commands.tsv
// says what it must make of which command line.
#include "state/detect_table.h"

namespace aa {
namespace {

constexpr std::string_view kRules = R"table(
# ---- families: who is what; NAME:OPTIONS only with one of these options ----------------------------------------------
family shell bash sh dash zsh ksh ksh93 mksh oksh pdksh lksh yash ash fish csh tcsh rbash rksh rzsh posh nu elvish xonsh
family busybox busybox toybox
family eval eval source .
family downloader curl wget wget2 aria2c axel lwp-download lwp-request fetch http https xh curlie httpie GET ftp lftp sftp tftp scp rsync:-e,--rsh
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
family decoder rev tr zcat gunzip bzcat xzcat zstdcat lz4cat bunzip2 unxz gzip:-d xz:-d bzip2:-d zstd:-d funzip
family docker docker podman nerdctl ctr crictl docker-compose lxc incus kubectl oc machinectl
family editor vi vim nvim view vimdiff ed ex emacs nano
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
family writer tee cp mv install dd ln sed rsync truncate

# ---- how they take code ------------------------------------------------------------------------------------------------
runner shell inline=-c,--command values=-o,-O,+o,+O,--rcfile,--init-file shell
runner busybox inline=-c shell
runner eval shell
runner python inline=-c module=-m values=-W,-X,-Q
runner perl inline=-e,-E values=-I
runner ruby inline=-e values=-r,-I,-C
runner node inline=-e,-p,--eval,--print,eval values=-r,--require,--import,--loader module=run,install,test,x,add,task,repl
runner php inline=-r,-B,-R values=-d,-c,-f
runner lua inline=-e values=-l
runner rscript inline=-e,--eval
runner awk texts
runner editor texts
runner gitlike texts
runner tar texts
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
rule shell-to-device reverse-shell critical | line ; any >/dev/tcp/ </dev/tcp/ >&/dev/tcp/ >/dev/udp/ </dev/udp/ >&/dev/udp/ ; any "bash -i" "sh -i" "sh <&" "sh 0<&" "bash <&" "eval " "-i >&" "-i <>" | A shell is bound to a network connection.
rule variable-from-device reverse-shell critical | command variable ; line >/dev/tcp/ </dev/tcp/ >&/dev/tcp/ >/dev/udp/ </dev/udp/ >&/dev/udp/ | What comes over a network connection is run.
rule device-to-shell reverse-shell critical | command shell ; stdin ; any </dev/tcp/ </dev/udp/ <>/dev/tcp/ >&/dev/tcp/ &>/dev/tcp/ >/dev/tcp/ >/dev/udp/ | A shell is bound to a network connection.
rule netclient-exec reverse-shell critical | command netclient ; option -e -c --exec --sh-exec --lua-exec | A network tool hands its connection to another program.
rule socat-exec reverse-shell critical | command netclient ; any EXEC: exec: SYSTEM: system: SHELL: shell: | A network tool hands its connection to another program.
rule pipe-to-network reverse-shell critical | pipe stdin-shell netclient | A shell's output goes into a network connection while its commands come from elsewhere.
rule network-to-shell reverse-shell critical | flow netclient shell,eval,itself,python,perl,ruby,node,php | Commands that come from a network connection are run.
rule python-reverse reverse-shell critical | command python ; any socket ; any dup2 pty.spawn /bin/sh /bin/bash "'sh'" "\"sh\"" "'bash'" subprocess os.system os.popen ; any connect create_connection bind | A Python program ties a shell to a network connection.
rule perl-reverse reverse-shell critical | command perl ; any Socket IO::Socket ; any "exec" system open(STDIN fdopen qx | A Perl program ties a shell to a network connection.
rule ruby-reverse reverse-shell critical | command ruby ; any TCPSocket Socket. TCPServer ; any exec spawn popen system "`" | A Ruby program ties a shell to a network connection.
rule php-reverse reverse-shell critical | command php ; any fsockopen stream_socket_client socket_create ; any exec system proc_open popen passthru "`" | A PHP program ties a shell to a network connection.
rule node-reverse reverse-shell critical | command node ; any net.connect net.Socket createConnection "require('net')" "require(\"net\")" require("net") node:net Deno.connect Bun.connect ; any spawn exec child_process Command( | A JavaScript program ties a shell to a network connection.
rule lua-reverse reverse-shell critical | command lua ; any socket ; any popen os.execute | A Lua program ties a shell to a network connection.
rule awk-reverse reverse-shell critical | command awk ; any /inet/ ; any getline "|&" | An awk program talks to the network by itself.
rule tcl-reverse reverse-shell critical | command tclsh ; has "socket" ; any exec eval | A Tcl program ties a shell to a network connection.
rule zsh-reverse reverse-shell critical | line ; any zsh/net/tcp ztcp | A shell opens a network connection by its own module.
rule powershell-reverse reverse-shell critical | command powershell ; any TCPClient TcpClient ; any iex Invoke-Expression GetStream | A PowerShell program ties a shell to a network connection.

rule download-to-shell pipe-to-shell critical | flow downloader shell,busybox,eval,itself,python,perl,ruby,node,php,lua,rscript,tclsh,powershell | A download is run without having been looked at.
rule remote-to-shell pipe-to-shell warning | flow remote shell,busybox,eval,itself | What another machine sends is run without having been looked at.
rule download-to-eval pipe-to-shell critical | pipe downloader,netclient eval,variable | A download is run line by line.
rule download-read pipe-to-shell critical | pipe downloader,netclient reader ; any "eval $" "sh -c $" "source $" | A download is read into a variable, and that is run.
rule decoded-to-eval encoded-payload critical | pipe decoder eval,variable | Encoded text is unpacked and run line by line.
rule download-to-make pipe-to-shell critical | pipe downloader make ; any "-f -" -f- /dev/stdin --file=- | A download is run as a makefile.
rule install-address pipe-to-shell warning | command installer ; word http://*.tgz http://*.tar.* http://*.whl http://*.zip https://*.tgz https://*.tar.* https://*.whl https://*.zip http://*.deb http://*.rpm | Software is installed straight from a network address; its installation scripts run.
rule python-download-run pipe-to-shell critical | command python ; any urlopen urlretrieve requests.get httpx http.client urllib3 wget.download ; any exec( eval( os.system subprocess popen runpy compile( | A Python program downloads code and runs it.
rule perl-download-run pipe-to-shell critical | command perl ; any LWP HTTP::Tiny Net::HTTP ; any eval system exec | A Perl program downloads code and runs it.
rule ruby-download-run pipe-to-shell critical | command ruby ; any open-uri Net::HTTP URI.open open( ; any http:// https:// ; any eval system exec instance_eval | A Ruby program downloads code and runs it.
rule php-download-run pipe-to-shell critical | command php ; any http:// https:// ftp:// ; any eval( include( require( system( exec( include_once copy( ; any file_get_contents include( require( fopen copy( curl_ | A PHP program downloads code and runs it.
rule node-download-run pipe-to-shell critical | command node ; any fetch( https.get http.get axios got( ; any eval Function( execSync exec( spawn vm.run child_process | A JavaScript program downloads code and runs it.
rule deno-url pipe-to-shell critical | command node ; word run x ; word http://* https://* | Code is run straight from a network address.
rule powershell-download-run pipe-to-shell critical | command powershell ; any DownloadString Invoke-WebRequest iwr irm Invoke-RestMethod ; any iex IEX Invoke-Expression | A PowerShell program downloads code and runs it.
rule editor-download pipe-to-shell critical | command editor ; any ":!curl" ":!wget" "!curl" "!wget" | An editor is told to download and run something.

rule decoded-to-shell encoded-payload critical | flow decoder shell,busybox,eval,itself,python,perl,ruby,node,php,lua,powershell | Encoded or packed text is unpacked and run at once.
rule generated-to-shell encoded-payload critical | flow python,perl,ruby,node,php shell,eval,itself ; any fromhex b64decode decode_base64 decode64 rot13 unhexlify "chr(" fromCharCode "pack(" | Text that was made unreadable is made readable by a program and run.
rule python-encoded encoded-payload critical | command python ; any b64decode b32decode b85decode a85decode fromhex unhexlify decompress( codecs.decode rot13 marshal.loads pickle.loads ; any exec( eval( system( subprocess popen runpy loads( | A Python program unpacks encoded text and runs it.
rule perl-encoded encoded-payload critical | command perl ; any decode_base64 "unpack" MIME::Base64 "pack(" ; any eval system exec | A Perl program unpacks encoded text and runs it.
rule ruby-encoded encoded-payload critical | command ruby ; any decode64 unpack ; any eval system exec | A Ruby program unpacks encoded text and runs it.
rule php-encoded encoded-payload critical | command php ; any base64_decode gzinflate gzuncompress str_rot13 hex2bin convert_uudecode ; any eval( assert( system( exec( create_function passthru( shell_exec( | A PHP program unpacks encoded text and runs it.
rule node-encoded encoded-payload critical | command node ; any "'base64'" "\"base64\"" base64 atob( "'hex'" fromCharCode ; any eval( Function( execSync exec( spawn vm.run | A JavaScript program unpacks encoded text and runs it.
rule powershell-encoded encoded-payload critical | command powershell ; option -enc -EncodedCommand -encodedcommand -ec -e -encoded -EncodedArguments | PowerShell is given its program encoded.
rule powershell-frombase encoded-payload critical | command powershell ; any FromBase64String | PowerShell unpacks encoded text.

rule docker-escape escape critical | command docker ; any --privileged "-v /:/" "-v=/:/" "--volume /:/" "--volume=/:/" docker.sock "src=/," "source=/," --pid=host "--pid host" --userns=host "--mount type=bind,source=/" hostPID hostPath | A container with the host's own rights or files is started: what runs there is out of sight.
rule socket-docker escape critical | command downloader,netclient ; any docker.sock podman.sock containerd.sock crio.sock /run/systemd/private | A container manager is spoken to behind its program's back: what it starts is out of sight.
rule nsenter-init escape critical | command namespace ; any "-t 1" "-t1" "--target 1" --target=1 | Process 1's namespaces are entered.
rule memory-write escape critical | line ; any >/proc/ >>/proc/ of=/proc/ ; any /mem | Another process's memory is written: its code would no longer be its own.
rule proc-mem escape critical | command writer,python,perl,ruby ; any /proc/ ; any /mem' /mem" "/mem " /mem) | Another process's memory is opened.
rule ptrace-python escape critical | command python,perl,ruby ; any process_vm_writev pidfd_getfd PTRACE_ATTACH PTRACE_POKE "ptrace(" | Another process is entered.
rule debugger-attach escape critical | command debugger ; option -p --pid -attach --attach -batch --batch-silent ; any call system exec shell attach | A debugger attaches to a process and makes it do something.
rule debugger escape warning | command debugger ; option -p --pid --attach --attach-pid | A debugger attaches to a running process.
rule ssh-local escape critical | command remote ; word localhost *@localhost 127.* *@127.* ::1 *@::1 0.0.0.0 *@0.0.0.0 "[[]::1]" ip6-localhost *@ip6-localhost | A connection to this very machine: what runs there is out of sight.
rule cron-write escape critical | line ; any >/etc/cron >>/etc/cron >/var/spool/cron >>/var/spool/cron >/etc/systemd/system >>/etc/systemd/system >/etc/init.d >~/.config/systemd >>~/.config/systemd >$HOME/.config/systemd >>$HOME/.config/systemd >~/.config/autostart >$HOME/.config/autostart >/etc/rc.local >>/etc/rc.local >/etc/profile.d >>/etc/ld.so.preload >/etc/ld.so.preload >/etc/udev/rules.d | Something is put where the system will run it later, out of sight.
rule cron-place escape critical | command writer ; word /etc/cron* /var/spool/cron/* /etc/systemd/system/* /etc/init.d/* */.config/systemd/user/* */.config/autostart/* /etc/rc.local /etc/profile.d/* /etc/ld.so.preload /etc/udev/rules.d/* /etc/update-motd.d/* | Something is put where the system will run it later, out of sight.
rule crontab escape critical | command scheduler ; path crontab */crontab ; without -l --list -V -h --help --version | A job is given to cron, which runs it out of sight.
rule at-job escape critical | command scheduler ; path at batch */at */batch ; without -l -r -d -c -V | A job is given to the at daemon, which runs it out of sight.
rule systemd-run escape critical | command unit ; path systemd-run */systemd-run ; without --version --help -h ; none --scope | systemd starts the program: it is nobody's child here and out of sight.
rule systemd-scope escape warning | command unit ; path systemd-run */systemd-run ; has --scope | The program moves into a scope of its own.
rule systemctl-start escape warning | command unit ; path systemctl */systemctl service */service initctl */initctl ; word start restart enable reenable link edit try-restart reload-or-restart set-environment import-environment | A service is started or set up: what it does is out of sight.
rule linger escape warning | command unit ; path loginctl */loginctl ; word enable-linger | Services of a user may run without that user.
rule bus-unit escape critical | command bus ; any StartTransientUnit StartUnit EnableUnitFiles LinkUnitFiles org.freedesktop.DBus.StartServiceByName StartServiceByName | The service manager is asked to start something: it is out of sight.
rule bus-call escape warning | command bus ; any "call " --dest --method "org.freedesktop.systemd1" | Another service is asked over the bus to do something.
rule terminal-server escape warning | command terminal ; word new new-session new-window neww send-keys send split-window splitw respawn-pane run-shell run respawn-window -dm -dmS -d -X if-shell pipe-pane kill-server | A terminal server does it: its programs are the server's children, not this one's.
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
rule tar-action shell warning | command tar ; any checkpoint-action=exec --to-command --use-compress-program= --rsh-command | An archiver is told to run another program.
rule editor-shell shell warning | command editor ; any ":!" "!sh" "!bash" "shell-command" "system(" ":sh" ":terminal" | An editor is told to start a shell.
rule git-shell shell warning | command gitlike ; any core.pager= core.sshCommand= core.fsmonitor= core.editor= alias. credential.helper= "ext::" protocol.ext.allow core.hooksPath= --upload-pack --receive-pack diff.external= ; any "-c " ext:: --upload-pack --receive-pack | A version control program is told to run another one.
rule awk-shell shell warning | command awk ; any "system(" "| getline" "|getline" |"sh |"bash | An awk program starts a shell.
rule network-device downloader info | line ; any >/dev/tcp/ </dev/tcp/ >&/dev/tcp/ >/dev/udp/ </dev/udp/ >&/dev/udp/ | A shell opens a network connection by itself.
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
