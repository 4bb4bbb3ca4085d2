#include "state/sensitive_paths.h"

#include <string_view>

namespace aa {
namespace {

struct Row {
  std::string_view category;
  Severity severity;
  std::string_view pattern;
  OpSet ops = kAllOps;
  Verdict verdict = Verdict::deny;
};

constexpr Severity kWarning = Severity::warning;
constexpr Severity kCritical = Severity::critical;

constexpr Row kRows[] = {
    {"ssh", kCritical, "~/.ssh/"},
    {"ssh", kWarning, "~/.ssh/{known_hosts,known_hosts.old,config}", kAllOps & ~kChanges, Verdict::allow},
    {"ssh", kCritical, "/etc/ssh/ssh_host_*_key"},
    {"ssh", kCritical, "**/{id_rsa,id_dsa,id_ecdsa,id_ed25519}"},
    {"gpg", kCritical, "~/.gnupg/"},
    {"cloud", kCritical, "~/.aws/"},
    {"cloud", kCritical, "~/.azure/"},
    {"cloud", kCritical, "~/.config/gcloud/"},
    {"cloud", kCritical, "~/.oci/"},
    {"cloud", kCritical, "~/.config/doctl/"},
    {"cloud", kCritical, "~/.boto"},
    {"cloud", kCritical, "~/.terraform.d/credentials.tfrc.json"},
    {"kubernetes", kCritical, "~/.kube/"},
    {"kubernetes", kCritical, "/etc/kubernetes/{admin.conf,super-admin.conf,pki/**}"},
    {"kubernetes", kCritical, "/var/lib/kubelet/pki/"},
    {"docker", kCritical, "~/.docker/config.json"},
    {"docker", kCritical, "~/.config/containers/auth.json"},
    {"docker", kCritical, "/run/user/*/containers/auth.json"},
    {"docker", kCritical, "/run/docker.sock"},
    {"package-registry", kCritical, "~/{.npmrc,.yarnrc.yml,.pypirc,.gem/credentials,.cargo/credentials*}"},
    {"package-registry", kCritical, "~/.config/{pip/pip.conf,composer/auth.json,hub,gh/hosts.yml}"},
    {"package-registry", kCritical, "~/{.m2/settings*.xml,.gradle/gradle.properties,.nuget/NuGet/NuGet.Config}"},
    {"git-credentials", kCritical, "~/{.git-credentials,.netrc,.config/git/credentials}"},
    {"browser", kCritical, "~/.mozilla/firefox/*/{logins.json,key4.db,cookies.sqlite}"},
    {"browser", kCritical, "~/.config/{google-chrome,chromium,BraveSoftware/*,microsoft-edge}/*/{Login Data,Cookies}"},
    {"browser", kCritical, "~/.config/{google-chrome,chromium,BraveSoftware/*,microsoft-edge}/Local State"},
    {"keyring", kCritical, "~/.local/share/keyrings/"},
    {"keyring", kCritical, "~/.password-store/"},
    {"wallet", kCritical, "~/{.bitcoin/wallet.dat,.bitcoin/wallets/**,.ethereum/keystore/**,.electrum/wallets/**}"},
    {"wallet", kCritical, "~/.config/{solana/id.json,Exodus/**}"},
    {"env-file", kWarning, "**/.env"},
    {"env-file", kWarning, "**/.env.{local,production,prod,staging,development,dev,test}"},
    {"private-key", kWarning, "**/*{-key,_key,.key}.pem"},
    {"private-key", kWarning, "/etc/ssl/private/"},
    {"accounts", kCritical, "/etc/{shadow,shadow-,gshadow,gshadow-}"},
    {"accounts", kWarning, "/etc/{passwd,group,sudoers,sudoers.d/**,pam.d/**}", kChanges},
    {"process-memory", kCritical, "/proc/*/{environ,mem}"},
    {"process-memory", kCritical, "/proc/*/task/*/{environ,mem}"},
    {"service-token", kCritical, "/run/secrets/"},
    {"service-token", kCritical, "/var/run/secrets/"},
    {"service-token", kCritical, "/etc/credstore{,.encrypted}/"},
    {"agent-config", kCritical, "~/.claude/{settings.json,settings.local.json,hooks/**,.credentials.json}", kChanges},
    {"agent-config", kCritical, "~/.claude/.credentials.json"},
    {"agent-config", kCritical, "~/.claude.json", kChanges},
    {"agent-config", kCritical, "~/.codex/{config.toml,auth.json}", kChanges},
    {"agent-config", kCritical, "~/.gemini/{settings.json,oauth_creds.json}", kChanges},
    {"agent-config", kWarning, "**/.claude/{settings.json,settings.local.json,hooks/**}", kChanges},
    {"agent-config", kWarning, "**/{.mcp.json,.cursor/mcp.json}", kChanges},
    {"agent-config", kWarning, "**/.git/hooks/{*[!e],*[!l]e}",
     kChanges},  // all but git's own ….sample, which it never runs
    {"shell-startup", kWarning, "~/{.bashrc,.bash_profile,.bash_login,.profile,.zshrc,.zshenv,.zprofile}", kChanges},
    {"shell-startup", kWarning, "~/.config/fish/config.fish", kChanges},
    {"shell-startup", kWarning, "/etc/{profile,bash.bashrc,profile.d/**}", kChanges},
    {"persistence", kWarning, "/etc/{crontab,cron.d/**,cron.daily/**,cron.hourly/**,cron.weekly/**}", kChanges},
    {"persistence", kWarning, "/var/spool/cron/", kChanges},
    {"persistence", kWarning, "/etc/systemd/system/", kChanges},
    {"persistence", kWarning, "/{usr/lib,usr/local/lib}/systemd/system/", kChanges},
    {"persistence", kWarning, "~/.config/{systemd/user/**,autostart/**}", kChanges},
    {"persistence", kCritical, "/etc/ld.so.preload", kChanges},
    {"observer", kCritical, "/etc/aa-ebpfd/", kChanges},
    {"observer", kCritical, "/var/log/aa-ebpfd/", kChanges},
    {"observer", kCritical, "/run/aa-ebpfd/", kChanges},
    {"observer", kCritical, "/usr/sbin/aa-ebpfd", kChanges},
    {"observer", kCritical, "/usr/bin/aactl", kChanges},
};

}  // namespace

std::vector<PathRule> sensitive_paths() {
  std::vector<PathRule> rules;
  for (const Row& row : kRows) {
    PathRule rule;
    rule.pattern = row.pattern;
    rule.verdict = row.verdict;
    rule.ops = row.ops;
    if (row.verdict == Verdict::deny) rule.severity = row.severity;
    rule.category = row.category;
    rule.layer = RuleLayer::file;
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace aa
