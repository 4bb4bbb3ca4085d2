// state/monitor_impl.h: the Monitor's state, shared by monitor.cpp (face, time), monitor_events.cpp (records),
// monitor_files.cpp (path rules), monitor_config.cpp (the configuration), monitor_imports.cpp (agents' own promises),
// monitor_sums.cpp (reads and writes), monitor_tls.cpp (TLS), monitor_targets.cpp (commands, enrolment, release),
// monitor_units.cpp (units) and monitor_repair.cpp (losses, adoption, reconcile). Private.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "state/detect.h"
#include "state/exec_notes.h"
#include "state/learned_files.h"
#include "state/monitor.h"
#include "state/slot_table.h"
#include "state/tls_connections.h"

namespace aa {

struct Monitor::Impl {
  explicit Impl(Settings s) : settings(std::move(s)), texts(settings.texts), lineage(lineage_limits()) {}

  // A plan under way: the kernel may already send records of the new slot, which wait for their target.
  struct Enrolment {
    StartMonitoring command;
    std::string unit;                        // "" when it is a process that is enrolled
    std::string cgroup;                      // of the unit
    std::shared_ptr<const TargetWish> wish;  // of the configuration; null: somebody else asked
    std::vector<Event> held;
  };

  struct Release {
    bool stopped = false;       // asked for; false: the target ended by itself
    std::vector<Token> tokens;  // who waits
  };

  // What is known of a running target beyond its face.
  struct Watch {
    std::set<ProcessId> adopted_unreported;  // told by records, not yet in a target event
    std::uint64_t refused_settled = 0;       // of the kernel's count: how many need no adoption any more
    std::uint64_t refused_tried = 0;         // the count when the last AdoptPlan went out
    std::uint64_t adopt_tried_ns = 0;        // and when that was, 0 never
  };

  Settings settings;
  TextBudget texts;
  Lineage lineage;
  SlotTable slots;
  std::map<std::uint32_t, Target> targets;       // by key
  std::map<std::uint32_t, Watch> watches;        // by key, running targets only
  std::map<std::uint32_t, Enrolment> enrolling;  // by slot
  std::map<std::uint32_t, Release> releasing;    // by slot
  std::set<std::uint32_t> spares;                // slots the kernel may start a target in
  std::set<std::uint32_t> let_go_slots;          // discovered, and not wanted: their records are nobody's,
  std::deque<std::uint32_t> let_go_order;        // those that were begun before the release and come after it too
  std::uint64_t late_since_ns = 0;               // something was discovered while programs rested,
  std::set<std::string> late_families;           // and those have not yet told what that may have cost
  std::vector<ProbeBody> probes;
  std::vector<LedgerRow> ledger;
  std::map<std::pair<std::string, std::string>, std::uint64_t> alerted_ns;  // by family and cause
  std::uint32_t last_key = 0;
  std::uint64_t delivered = 0;
  std::uint64_t consumed = 0;
  RepairCounts repairs;
  std::uint64_t now_ns = 0;                    // the latest time any input told
  std::uint64_t counts_ns = 0;                 // of the last reading
  std::uint64_t reconcile_due_ns = 0;          // meaningful while targets run
  std::uint64_t reconciled_ns = 0;             // of the last snapshot
  std::uint64_t expired_ns = 0;                // when expire() last ran for age
  std::optional<std::uint64_t> repair_due_ns;  // records were lost: lineage may not know every living process
  std::optional<std::uint64_t> idle_since_ns;  // nothing is watched since
  bool watching = false;                       // programs that rest otherwise are awake

  // Path rules. `wanted` is what the newest set was made of: another may be on its way when the next is asked for.
  using RuleSet = std::shared_ptr<const PathRules>;
  RuleSet rules_in_force = std::make_shared<PathRules>();
  std::map<std::uint64_t, RuleSet> rule_sets;  // by generation: in force, on their way, and the one before
  std::vector<PathRule> wanted_rules;
  std::uint64_t last_generation = 0;
  LearnedFiles learned;
  std::uint64_t allowed_count = 0;
  std::set<std::tuple<ProcessId, std::string, std::string>> path_alerts;  // process, rule, path: told once each
  std::size_t path_alert_bytes = 0;                                       // of rules and paths

  // What the configuration in force wants watched; and one that waits for its path rules.
  struct Configuring {
    Configure command;
    std::uint64_t generation = 0;  // of its rules
    std::shared_ptr<const DetectTable> table;
  };
  std::vector<TargetWish> wishes;
  std::optional<Configuring> configuring;
  LookForPlan looked_for;              // what the kernel was told to look for
  std::set<std::string> asked_on_bus;  // targets that are let go of to begin again otherwise, as the bus wants them too
  // Whose answer is still to come, of those that were asked who runs: all of them, or only these.
  std::deque<std::optional<std::set<ProcessId>>> looks;
  struct TakingIn {  // the configuration is in force when everyone is watched who is there
    Token token = 0;
    std::size_t look = 0;           // as many answers of looks until its own; 0: it has come
    std::set<std::uint32_t> slots;  // that are being enrolled, or let go of
  };
  std::optional<TakingIn> taking_in;
  bool wishes_wait = false;  // for room that is being made

  // What running targets promised, by key; and whether a set that has it is on its way, or the next is due.
  std::map<std::uint32_t, std::vector<PathRule>> promises;
  std::map<ProcessId, std::vector<PathRule>> promises_before;  // of targets that are not found again yet, by root
  std::set<std::uint32_t> promises_unfinished;                 // targets that were told of
  std::set<std::uint32_t> promises_waiting;                    // targets with nobody to ask, as far as was heard
  std::map<std::uint32_t, std::size_t> promises_asked;         // of a target whose root had ended: how many others
  std::uint64_t promises_generation = 0;                       // of the set on its way; 0 none
  bool promises_changed = false;

  // Execs that the detector may have to judge once more, and files whose programs were taken as what they are called.
  static constexpr std::size_t kMostLearntFiles = 1024;
  using Table = std::shared_ptr<const DetectTable>;
  Table own_detect_table;  // as the configuration changes it; null: it does not
  ExecNotes exec_notes;
  std::set<std::pair<std::uint32_t, std::uint64_t>> learnt_files;  // device, inode

  // Sums of reads and writes the kernel keeps. The first call of each came as an event, which says what file it is.
  struct SummedFile {
    ProcessRef process;
    FileBody body;
    std::uint64_t flip = 0;  // how many flips had been asked for when it came
  };
  std::map<SumKey, SummedFile> summed;
  TlsConnections tls_connections;
  std::map<ProcessId, Event> ending;       // exits that wait for what their process did before
  std::vector<Released> releases_waiting;  // for the flip under way, and
  std::vector<Released> releases_asked;    // for the one after it
  std::uint64_t flips = 0;
  bool flipping = false;
  std::uint64_t flip_due_ns = 0;

  // monitor.cpp
  void saw_time(std::uint64_t boot_ns) { now_ns = std::max(now_ns, boot_ns); }
  bool is_idle() const;
  void settle_idle(std::uint64_t boot_ns);
  std::optional<std::uint64_t> expiry_deadline() const;
  void drop_unverified();

  // monitor_events.cpp
  void take(Step& step, Event event);
  void handle_record(Step& step, Event event);
  void ended_now(Step& step, Event event);  // an exit, once nothing of its process is left to tell
  void deliver(Step& step, Event event, const SlotTable::Owner* owner);
  void deliver_target(Step& step, const Target& target, TargetBody body, std::uint64_t boot_ns);
  void deliver_loss(Step& step, LossBody loss);
  std::uint32_t key_of(const SlotTable::Owner* owner) const;
  Process& observe(Step& step, const Event& event, std::uint32_t key);
  // Inserts or completes; key 0 leaves the process where it is, any other takes it in unless it is watched already.
  Process& introduce(Step& step, Process process, std::uint32_t key, std::uint64_t boot_ns);
  // Undoes an exit that was only concluded; the process is back in its target if that still runs.
  void revive(const ProcessId& id);
  void on_fork(Step& step, const Event& event, const ProcessId& child, std::uint32_t ns_pid, std::uint32_t parent_key,
               std::uint32_t child_key);
  void on_exec(Step& step, const Event& event, const ExecBody& exec, std::uint32_t key);
  void on_adopted(Step& step, const Event& event, std::uint32_t key);

  // monitor_files.cpp
  bool sees_files() const;
  bool sees(std::string_view family) const;  // a program of it is attached or waits to be
  void set_rules(Step& step, SetPathRules command);
  // Begins to put a layer's rules in force: their generation, or why not; then nothing is changed.
  std::variant<std::uint64_t, Refusal> put_rules(Step& step, Token token, RuleLayer layer, std::vector<PathRule> rules);
  void rules_done(Step& step, const RulesInForce& done);
  void on_file(Step& step, Event event, const SlotTable::Owner* owner);
  std::vector<PathQuery::Whose> targets_of(const SlotTable::Owner* owner) const;
  struct Judged {
    Judgement now;   // of what was done, by whom
    Judgement ever;  // of what the file is to rules, whatever is done, where it gets a name; else the same
  };
  Judged judge(Event& event, const SlotTable::Owner* owner) const;
  Judgement worst_of(const FileBody& file, const PathRules& set, std::span<const std::uint32_t> objects,
                     std::span<const PathQuery::Whose> whose, bool any_op) const;
  Judgement lasting(const FileBody& file, const PathRules& set, std::span<const std::uint32_t> objects,
                    std::span<const PathQuery::Whose> whose) const;
  void alert_path(Step& step, const Event& event, const PathRule& rule, const SlotTable::Owner* owner);
  bool is_summed(std::uint64_t generation) const;  // reads or writes that were judged by these rules are being summed
  void forget_path_alerts(const ProcessId& id);

  // monitor_learned.cpp
  static bool gives_name(const FileBody& file) { return file.op == FileOp::rename || file.op == FileOp::link; }
  void forget_names(const FileBody& file);
  bool stays_below(const FileBody& file, std::uint32_t object) const;
  void learn(Step& step, const Event& event, const Judgement& judgement);
  void learn_name(Step& step, const Event& event, const FilePath& at, std::uint32_t object);
  void learn_name(Step& step, LearnPlan plan);
  void follow_folder(Step& step, const Event& event);

  // monitor_tls.cpp
  void complete_process(ProcessRef& ref) const;
  void on_tls(Step& step, Event event, const SlotTable::Owner* owner);
  void on_tls_connection(const Event& event, const TlsConnectionBody& body);
  void on_tls_closed(const Event& event, const TlsClosedBody& body);

  // monitor_sums.cpp
  void note_summed(const Event& event);
  void tell_sums(Step& step, const std::vector<FileSum>& sums);
  void tell_sum(Step& step, const FileSum& sum, FileOp op, std::uint64_t bytes, std::uint64_t count);
  void on_exit(Step& step, Event event);  // waits until the process's files are told
  void settled(Step& step, const Settled& done);
  void collected(Step& step, const SumsCollected& done);
  void flipped(Step& step, const SumsFlipped& done);
  void finish_exit(Step& step, const ProcessId& id);
  void flip_when_due(Step& step, std::uint64_t now_boot_ns);
  void flip(Step& step);
  void on_released(Step& step, const Released& done);  // after all that its processes did with files is told
  std::optional<std::uint64_t> flip_deadline() const;

  // monitor_detect.cpp
  const DetectTable& detect_table() const { return own_detect_table ? *own_detect_table : shipped_detect_table(); }
  std::variant<Table, Refusal> table_for(const DetectChange& change) const;
  void use_table(Table table);
  void detect_exec(Step& step);                                         // looks at the event delivered last
  bool identify(Step& step, const Event& cause, const ExecBody& exec);  // true: an answer may come
  void identified(Step& step, const Identified& done);
  void spread(Step& step, std::uint64_t pipe, Families families);
  Sighting sighting_now(const ExecNote& note) const;
  void late_alert(Step& step, const ExecNote& note, const Rule& rule);
  void alert_rule(Step& step, Event about, const Rule& rule, std::vector<AncestryItem> ancestry);
  std::vector<AncestryItem> ancestry_of(const ProcessId& id) const;

  // monitor_discovery.cpp
  void top_up_spares(Step& step);
  bool take_discovered(Step& step, Event& event);  // true: the record is dealt with, or nobody's
  void claim(Step& step, const Event& event, const std::string& name, const TargetWish* wish);
  void let_go(Step& step, std::uint32_t slot);
  bool uid_has_room(std::uint32_t uid) const;

  // monitor_config.cpp
  Lineage::Limits lineage_limits() const { return {settings.policy.keep_exited, settings.policy.keep_exited_count}; }
  void configure(Step& step, Configure command);
  void settle_configure(Step& step, const RulesInForce& done);
  void apply_configuration(Step& step, Configure command, Table table);
  void let_go_unwished(Step& step, const std::vector<TargetWish>& before);
  void begin_wishes(Step& step);
  void begin_waiting_wishes(Step& step);
  void begin_meant(Step& step, const std::set<ProcessId>& among, const TargetWish* whole);
  void no_room(Step& step, const TargetWish& wish);
  void seek(Step& step, std::optional<std::set<ProcessId>> among);
  void settle_taking_in(Step& step, std::optional<std::uint32_t> slot);
  bool is_as_wished(const Target& target, const std::vector<TargetWish>& before) const;
  bool in_wished_group(const Process& process) const;
  bool is_held(const TargetWish& wish) const;
  bool is_beginning(const TargetWish& wish) const;
  // For which a fresh start would watch it; null: for none.
  const TargetWish* due_wish(const Target& target, const std::vector<TargetWish>& before) const;
  void begin_wish(Step& step, const TargetWish& wish);
  void look_for(Step& step);
  bool is_wished(const TargetWish& wish) const;
  const TargetWish* wish_of(const ProcessRef& process, const ExecBody& exec) const;
  void looked_around(Step& step, const LookedAround& done);
  std::optional<std::pair<StartMonitoring, const TargetWish*>> wished(const LivingProcess& process) const;
  void unit_found(Step& step, const UnitFound& done);
  void not_watched(Step& step, const TargetWish& wish, const Refusal& refusal);

  // monitor_imports.cpp
  void begin_imports(Step& step, const Target& target, std::uint32_t uid, const std::string& cwd);
  void begin_imports(Step& step, const Target& target);  // of a root that lineage knows
  void imported(Step& step, Imported done);
  void ask_another(Step& step, const Target& target, const ProcessId& gone);
  void add_promises_before(const ProcessId& root, std::vector<PathRule>& rules);
  void drop_unusable(Step& step, const Target& target, std::vector<PathRule>& rules);
  void drop_promises(Step& step, std::uint32_t key);
  void tell_unfinished(Step& step, std::uint32_t key);
  void put_promises(Step& step);
  void settle_promises(Step& step, const RulesInForce& done);
  void promises_refused(Step& step, const std::string& why);
  void tell_note(Step& step, const Target& target, const ImportNote& note);

  // monitor_targets.cpp
  // The slot it is being enrolled in; nullopt: the refusal was answered.
  std::optional<std::uint32_t> start(Step& step, StartMonitoring command);
  // A slot for a target that is asked for; nullopt: the refusal was answered.
  std::optional<std::uint32_t> open_slot(Step& step, Token token, const std::string& name);
  void stop(Step& step, const StopMonitoring& command);
  void enrolled(Step& step, Enrolled done);
  void not_enrolled(Step& step, const Enrolled& done, Enrolment enrolment);
  Target& add_target(const Enrolled& done, const Enrolment& enrolment);
  void take_nested(const Target& outer);
  std::string name_for(const Enrolled& done, const Enrolment& enrolment) const;
  void released(Step& step, const Released& done);
  std::set<ProcessId> living_of(std::uint32_t key) const;
  void hand_over(const Target& from, std::uint32_t heir);
  Target* running(std::uint32_t key);
  Target* running_in_slot(std::uint32_t slot);
  std::optional<std::uint32_t> return_slot(const Target& target);
  bool any_running() const { return !watches.empty(); }
  // Puts a process under a target (0: unwatched) and keeps the counts of living processes on both sides.
  void move_to(Process& process, std::uint32_t key);
  void ended(const ProcessId& id, std::int32_t status, std::uint64_t boot_ns);
  void check_exited(Step& step, std::uint32_t key, std::uint64_t boot_ns);
  void forget_exited_targets();
  std::variant<const Target*, Refusal> resolve(std::string_view text) const;

  // monitor_units.cpp
  std::optional<std::uint32_t> start_unit(Step& step, StartMonitoringUnit command);
  void readopt_units(Step& step);

  // monitor_repair.cpp
  void losses(Step& step, const KernelCounts& counts);
  void alert_loss(Step& step, const LedgerRow& row, std::uint64_t count, const KernelCounts& counts);
  const SlotTable::Owner* newly_refused(const KernelCounts& counts) const;
  void slot_counts(Step& step, const KernelCounts& counts);
  void adopted(Step& step, const Adopted& done);
  void report_adopted(Step& step, std::uint32_t key, std::uint64_t boot_ns);
  void reconciled(Step& step, const Reconciled& done);
  void mark_gone(Step& step, const Reconciled& done);
  void take_found(Step& step, const Reconciled& done);
  Process process_of(const LivingProcess& living);
};

// What a target of this wish is called.
std::string name_of_wish(const TargetWish& wish, const ProcessRef& process, const ExecBody& exec);

// Kernel records, as against events made by this daemon.
bool is_record(const EventBody& body);

void answer(Step& step, Token token, std::variant<std::string, Refusal> outcome);  // nobody waits for token 0

// The string another process has already, where it is the same; null for "".
std::shared_ptr<const std::string> share_cgroup(const std::string& path, const Process* known, const Process* parent);

}  // namespace aa
