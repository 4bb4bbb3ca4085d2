// state/plan.h: what goes into the Monitor besides events (commands, completions) and what comes out (plans, answers).
//
// Values only. `main` has plans carried out by probe/kernel_state and brings the completion back like any other input.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "event/event.h"
#include "state/detect_table.h"
#include "state/path_rules.h"

namespace aa {

// Names who waits for an answer; 0: nobody.
using Token = std::uint64_t;

// The named errors of the D-Bus contract.
enum class Fault : std::uint8_t {
  no_such_process,
  no_such_target,
  not_authorized,
  limit_reached,
  invalid_argument,
  invalid_pattern,
  invalid_config,
  not_supported,
  probe_failed,
  map_failed,
  failed,
};

struct Refusal {
  Fault fault = Fault::failed;
  std::string sentence;  // says what is wrong and what to do
};

enum class TlsLevel : std::uint8_t { off, metadata, redacted, full };
enum class TargetSource : std::uint8_t { config, dbus, discovered };

// What the configuration wants watched: whoever fits, running now or started later; and how.
struct TargetWish {
  enum class By : std::uint8_t { pid, exe, unit, cgroup, user };
  By by = By::exe;
  std::string what;          // 4242; a name, a path or a glob; nginx.service; /system.slice/x; alice
  std::uint32_t number = 0;  // the pid, or the user's id
  std::string name;          // "": as if nobody had given one
  TlsLevel tls = TlsLevel::redacted;
  std::vector<std::string> imports;  // whose denies become its rules: "claude:~/.claude/settings.json"
  std::string leads_to = {};         // of a path: where its links end, as the configuration is read; "": it has none

  // The same is said; where links lead may have changed.
  bool operator==(const TargetWish& other) const {
    const auto said = [](const TargetWish& wish) {
      return std::tie(wish.by, wish.what, wish.number, wish.name, wish.tls, wish.imports);
    };
    return said(*this) == said(other);
  }
};

std::string_view name_of(TargetWish::By by);  // "pid" "exe" "unit" "cgroup" "user"

// ---- commands -------------------------------------------------------------------------------------------------------

struct StartMonitoring {
  Token token = 0;
  std::uint32_t pid = 0;
  ProcessId root;                         // exactly this process, when it is known; {}: whoever has the pid
  std::shared_ptr<const UniqueFd> pidfd;  // when the caller gave one: closes the pid-reuse race; null otherwise
  std::string name;                       // "" : the Monitor takes the root's comm
  TlsLevel tls = TlsLevel::redacted;
  std::uint32_t owner_uid = 0;  // who asked
  TargetSource source = TargetSource::dbus;
};

// A systemd unit: every process in its control group, now and whenever the unit is started again.
struct StartMonitoringUnit {
  Token token = 0;
  std::string unit;    // its whole name, as systemd gives it: "nginx.service"
  std::string cgroup;  // its control group's path below the root: "/system.slice/nginx.service"; it need not exist now
  std::string name;    // "": the Monitor takes the unit's
  TlsLevel tls = TlsLevel::redacted;
  std::uint32_t owner_uid = 0;
  TargetSource source = TargetSource::dbus;
};

struct StopMonitoring {
  Token token = 0;
  std::string target;  // id, a name that one target alone has, or root pid in digits
};

// Replaces one layer of the path rules, all or nothing. Answered with the generation events will carry.
struct SetPathRules {
  Token token = 0;
  RuleLayer layer = RuleLayer::runtime;
  std::vector<PathRule> rules;
};

// What of the Monitor's business the configuration decides, beside rules and targets.
struct Policy {
  Severity least_alert = Severity::info;  // of what the detector says of an exec
  bool detect = true;
  DetectChange detect_change;         // to the shipped table
  std::vector<std::string> agents;    // discovery: names, or paths with * and ?; none: no discovery
  std::uint32_t agents_per_uid = 16;  // discovered targets of one user at once
  std::chrono::nanoseconds keep_exited = std::chrono::hours(1);
  std::size_t keep_exited_count = 50'000;
  std::chrono::nanoseconds reconcile_every = std::chrono::seconds(60);
  std::chrono::nanoseconds sums_every = std::chrono::seconds(1);  // reads and writes are told as sums this often
};

// All that the configuration says, at the start and at each reload: taken in whole or refused whole, and applied as a
// difference to what was said before. Answered with "" once its path rules are in force.
struct Configure {
  Token token = 0;
  Policy policy;
  std::vector<PathRule> rules;  // the file layer
  std::vector<TargetWish> targets;
};

// What the target of this root had promised to the daemon before this one: it holds on, whatever its files say by now.
struct KeepPromises {
  Token token = 0;
  ProcessId root;
  std::vector<PathRule> rules;
};

using Command =
    std::variant<StartMonitoring, StopMonitoring, SetPathRules, StartMonitoringUnit, Configure, KeepPromises>;

// ---- plans: what the kernel is to be told
// ------------------------------------------------------------------------------

// Take a process and its descendants into the watched set under `slot`.
struct EnrolPlan {
  Token token = 0;
  std::uint32_t slot = 0;
  std::uint32_t pid = 0;
  ProcessId root;  // {}: whoever has the pid
  std::shared_ptr<const UniqueFd> pidfd;
  std::uint32_t limit = 0;  // share of the watched set
  TlsLevel tls = TlsLevel::redacted;
  std::vector<ProcessId> members;  // living known descendants that belong to the outer target now (nested enrolment)
};

// Take every process of a control group, and their descendants, into the watched set under `slot`. Answered by
// Enrolled, whose root is {}.
struct EnrolUnitPlan {
  Token token = 0;
  std::uint32_t slot = 0;
  std::string unit;
  std::string cgroup;
  std::uint32_t limit = 0;
  TlsLevel tls = TlsLevel::redacted;
};

// Give a target's processes back to `return_to`'s slot, or let them go.
struct ReleasePlan {
  Token token = 0;
  std::uint32_t slot = 0;
  std::optional<std::uint32_t> return_to;
};

// There may be room again: adopt who belongs inside and was refused, or was another target's.
struct AdoptPlan {
  std::uint32_t slot = 0;
  ProcessId root;                     // of a target that was just discovered: its ancestors are asked for too; {} else
  TlsLevel tls = TlsLevel::redacted;  // with `root`: the kernel, which started it by itself, did not know
};

// Compare lineage with the kernel's living processes.
struct ReconcilePlan {};

// Make a row ready for a target that the kernel starts by itself (discovery).
struct SparePlan {
  std::uint32_t slot = 0;
  std::uint32_t limit = 0;  // share of the watched set
};

// Look for these programs, and any program of these users, from now on: it starts a target.
struct LookForPlan {
  std::vector<std::string> names;  // discovery's and the configuration's: names, or paths
  std::vector<std::uint32_t> users;
};

// Say who runs now. Answered by LookedAround.
struct LookAroundPlan {};

// Ask systemd for a unit's control group. Answered by UnitFound.
struct FindUnitPlan {
  std::string unit;
};

// Programs that rest while nothing is watched: wake them (true) or let them rest.
struct StandbyPlan {
  bool watching = false;
};

// Put a set of path rules in force. Sets come in the order of their generations.
struct RulesPlan {
  Token token = 0;
  std::shared_ptr<const PathRules> rules;
};

// The file that a rule was found to deny shall be recognised by its inode from now on, while that generation lasts.
struct LearnPlan {
  std::uint64_t generation = 0;
  std::uint32_t object = 0;
  std::uint32_t dev = 0;
  std::uint64_t ino = 0;
  std::uint32_t inode_generation = 0;
  bool is_folder = false;     // what lies below is meant, too
  std::string path = "";      // not "": its name alone was seen; what has it now must be looked up
  std::uint64_t boot_ns = 0;  // when it was given that name, …
  bool foreign = false;       // … by a process of another mount namespace, …
  std::string root = "";      // … or of another root, that one's path
};

// So many names were given that nobody looks up.
struct UnlearnedPlan {
  std::size_t names = 0;
};

// A process has ended: say when every record of it has been read. Bulk comes later than its end.
struct SettlePlan {
  ProcessId process;
};

// Take these sums out of the kernel: their process has ended, nobody adds to them.
struct CollectSumsPlan {
  ProcessId process;
  std::vector<SumKey> keys;
};

// Take every sum out of the kernel.
struct FlipSumsPlan {};

// Read the build-id of the program a process ran: answered when it is a known program's under another name. Or, with
// `learn_as`, remember it as that program's; not answered.
struct IdentifyPlan {
  ProcessId process;
  std::uint32_t image = 0;
  std::string exe;        // from its mount namespace's root
  std::uint64_t ino = 0;  // the kernel's own pair
  std::uint32_t dev = 0;
  std::string learn_as;
};

// A target has started: read what it promised, as its files stand now.
struct ImportPlan {
  std::uint32_t key = 0;  // the target's
  ProcessId root;
  std::uint32_t uid = 0;
  std::string cwd;
  std::vector<std::string> imports;
};

using Plan = std::variant<EnrolPlan, EnrolUnitPlan, ReleasePlan, AdoptPlan, ReconcilePlan, StandbyPlan, SparePlan,
                          RulesPlan, LearnPlan, UnlearnedPlan, SettlePlan, CollectSumsPlan, FlipSumsPlan, IdentifyPlan,
                          LookForPlan, LookAroundPlan, FindUnitPlan, ImportPlan>;

// ---- completions
// -------------------------------------------------------------------------------------------------------

// A living process as the task iterator showed it, with text from /proc (exact bytes; "" where unreadable).
struct LivingProcess {
  ProcessId id;
  ProcessId parent;  // {} for pid 1's and kernel threads' parent 0
  ParentSource parent_source = ParentSource::current;
  std::uint32_t ns_pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t image = 0;
  std::uint32_t slot = 0;
  bool watched = false;
  bool adopted = false;   // entered the watched set by this plan
  bool has_text = false;  // exe, filename, cwd and argv below were read
  std::string comm;
  std::string cgroup;
  std::string exe;
  std::string filename;  // as it was started: a script's, a link's; "" when it cannot be read
  std::string cwd;
  std::vector<std::string> argv;
};

struct Enrolled {
  Token token = 0;
  std::uint32_t slot = 0;
  std::uint64_t boot_ns = 0;
  std::optional<Refusal> refusal;  // set: nothing was changed in the kernel
  ProcessId root;
  std::optional<std::uint32_t> already;  // that slot has this root or unit already: nothing was changed
  std::optional<std::uint32_t> outer;    // nested: the slot it belonged to before
  std::vector<LivingProcess> processes;  // every process now in the slot, and the root's unwatched ancestors
};

struct Released {
  Token token = 0;
  std::uint32_t slot = 0;
  std::uint64_t boot_ns = 0;
  std::optional<std::uint32_t> return_to;
};

struct Adopted {
  std::uint32_t slot = 0;
  std::uint64_t boot_ns = 0;
  std::vector<LivingProcess> processes;
};

// Arrives after every record written before the snapshot was read.
struct Reconciled {
  std::uint64_t snapshot_boot_ns = 0;    // when the snapshot was begun
  std::vector<LivingProcess> processes;  // every living process, watched or not; text only where has_text
};

// Arrives after every record written before the set was in force.
struct RulesInForce {
  Token token = 0;
  std::uint64_t boot_ns = 0;
  std::uint64_t generation = 0;
  std::optional<Refusal> refusal;  // set: the kernel still has the generation before
};

struct Settled {
  ProcessId process;
};

struct SumsCollected {
  ProcessId process;
  std::vector<FileSum> sums;
};

struct SumsFlipped {
  std::uint64_t boot_ns = 0;
  std::vector<FileSum> sums;
};

// The program of that process and image is a copy of `program`.
struct Identified {
  ProcessId process;
  std::uint32_t image = 0;
  std::string program;
};

struct LookedAround {
  std::uint64_t boot_ns = 0;
  std::vector<LivingProcess> processes;  // every living one, those unwatched with text
};

struct UnitFound {
  std::string unit;    // as it was asked for
  std::string id;      // its whole name, as systemd gives it
  std::string cgroup;  // "": `refusal` says why not
  std::optional<Refusal> refusal;
};

// Something an import could not make a rule of.
struct ImportNote {
  std::string import;      // as the configuration has it
  bool broken = false;     // the file as a whole; else one entry of it
  std::uint32_t line = 0;  // of the entry
  std::string entry;
  std::string sentence;  // why
};

struct Imported {
  std::uint32_t key = 0;
  std::vector<PathRule> rules;  // pattern and operations; the rest is the Monitor's to say
  std::vector<ImportNote> notes;
  ProcessId gone = {};  // had ended before anything was read: another process of the target has the same view
};

using Completion = std::variant<Enrolled, Released, Adopted, Reconciled, RulesInForce, Settled, SumsCollected,
                                SumsFlipped, Identified, LookedAround, UnitFound, Imported>;

// ---- what the kernel counted
// --------------------------------------------------------------------------------------------

// A loss like one that is told, but its count is the sum since the daemon's start; cause "attempt" counts what was
// asked.
using LedgerRow = LossBody;

struct SlotCount {
  std::uint32_t slot = 0;
  std::uint64_t live = 0;
  std::uint64_t attempts = 0;
  std::uint64_t lost = 0;
  std::uint64_t refused = 0;
};

struct KernelCounts {
  std::uint64_t boot_ns = 0;
  std::vector<LedgerRow> ledger;
  std::vector<SlotCount> slots;
};

// ---- answers
// --------------------------------------------------------------------------------------------------------------

struct Answer {
  Token token = 0;
  std::variant<std::string, Refusal>
      outcome;  // string: the target id (StartMonitoring), the generation (SetPathRules), "" (done)
};

// What one input produced. Events are in order and numbered.
struct Step {
  std::vector<Event> events;
  std::vector<Plan> plans;
  std::vector<Answer> answers;
};

}  // namespace aa
