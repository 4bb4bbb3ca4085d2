// daemon.h: the wiring: which room's output is which room's input. With main.cpp the only place that knows them all.
//
// Events go right (source → monitor → fan-out), commands go left (control → monitor → kernel state), and a plan's
// completion comes in like any other input, after every record that was written before it was carried out.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/cgroup_names.h"
#include "base/event_loop.h"
#include "base/lasting.h"
#include "base/result.h"
#include "config/config.h"
#include "config/importer.h"
#include "config/loader.h"
#include "config/watch_files.h"
#include "control/control.h"
#include "options.h"
#include "probe/exec_family.h"
#include "probe/file_family.h"
#include "probe/file_rules.h"
#include "probe/file_sums.h"
#include "probe/identifier.h"
#include "probe/kernel_state.h"
#include "probe/self_test.h"
#include "probe/shared_maps.h"
#include "probe/tls_discovery.h"
#include "probe/tls_family.h"
#include "probe/tls_hold.h"
#include "sink/fan_out.h"
#include "sink/jsonl.h"
#include "sink/recorder.h"
#include "sink/subscribers.h"
#include "source/bpf_source.h"
#include "state/input.h"
#include "state/monitor.h"

namespace aa {

Policy policy_of(const Config& config);

class Daemon {
 public:
  // Everything is in place when this returns: programs attached and self-tested, the bus name owned.
  static Result<std::unique_ptr<Daemon>> make(const Options& options, const Config& config);
  ~Daemon();

  Status run();  // until SIGTERM or SIGINT

  std::vector<ProbeBody> probes() const;

 private:
  Daemon(Options options, Config config) : options_(std::move(options)), config_(std::move(config)), latest_(config_) {}

  Status open_kernel();
  Status open_families();
  Status open_exec(const SharedMaps& shared);
  void open_files(const SharedMaps& shared);
  Status open_rings();
  void open_tls(const SharedMaps& shared);
  Status start_guard();
  void await_rules();
  void tell_unanswered();
  Status open_sinks();
  Status open_recording();
  void settle_recording();
  Status open_control();
  void open_monitor();
  Status wire_loop();

  // the configuration: daemon_reload.cpp
  void configure();
  void reload(Token token);  // answered on the bus, 0: by the log alone
  void begin_reload();
  void take_loaded();
  void take_configured(const Answer& answer);
  void end_reload(const std::optional<Refusal>& refusal);
  void apply_live(const Config& config);
  void watch_files(const Config& config);
  std::vector<std::string> awaiting_restart() const;
  void find_unit(const std::string& unit);

  // events → right
  void take_record(Event event);
  bool look_for_tls(const std::vector<LivingProcess>& processes, std::uint64_t since_ns);
  void take_held();
  void look_into_held();
  void look_into_forked();
  void take_rewritten();
  void listen_for_rewritten();
  void look_into_rewritten();
  void look_into_waiting();
  void note_missed(const KernelCounts& counts);
  void look_again();
  void tell_late_attach(const LossBody& loss);
  void input(Input input);  // whatever goes into the Monitor: recorded if asked for, fed, and what came out carried on
  void carry_on(const Step& step);
  bool turn();  // drains what must be drained now and hands the turn's output to the sinks
  void drain();
  void take_last();
  void settle();
  void acknowledge();
  void give_up_on_disk();

  // what was said over the bus, kept for the next daemon: daemon_runtime.cpp
  void restore_runtime();
  static void take_restored(const Answer& answer);
  void keep_runtime();
  void take_over_undecided();
  void keep_undecided();

  // commands ← left
  void carry_out(const Plan& plan);
  void complete_later(Completion completion);
  void refresh_counts();
  void publish_probes();

  // the bus
  Control::House house();
  bool bus_turn();
  void bus_lost(const Error& error);
  void forget_bus_fds();
  std::vector<std::pair<std::string, std::uint64_t>> counters();

  void on_signal();
  void update_status();

  // Of conversations: bytes that the redactor holds back, which die with this process.
  struct HeldBack {
    std::array<char, 64> boot_id;
    std::uint64_t bytes;
    std::uint64_t first_boot_ns;
    std::uint64_t last_boot_ns;
  };

  static constexpr Token kConfigureToken = ~Token{0};  // no call on the bus has these
  static constexpr Token kRestoreToken = ~Token{0} - 1;
  static constexpr Token kReloadToken = ~Token{0} - 2;

  struct Pending {
    BpfSource::Positions mark;  // due once the rings are read up to here
    Completion completion;
  };

  Options options_;
  const Config config_;        // as it was at the start: what takes effect at a restart only
  Config latest_;              // in force
  Config next_;                // being taken in
  std::deque<Token> reloads_;  // who asked; the first one's is under way
  std::optional<Refusal> start_refusal_;
  std::set<std::string> units_sought_;
  std::optional<Severity> journal_least_;
  Admitted admitted_;
  bool runtime_restored_ = false;
  bool runtime_changed_ = false;
  std::string runtime_kept_;
  std::optional<Lasting<HeldBack>> held_back_;
  LossBody lost_with_the_last_{"tls", "undecided", 0, 0, 0};  // with the daemon before
  // In the order of the flow; destroyed from the last to the first.
  CgroupNames cgroups_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ExecFamily> family_;
  std::unique_ptr<FileFamily> files_;
  std::unique_ptr<TlsFamily> tls_;
  std::unique_ptr<HoldGuard> hold_guard_;  // until it is hold_'s
  std::unique_ptr<TlsHold> hold_;          // null: not asked for
  std::unique_ptr<TlsDiscovery> tls_discovery_;
  std::unique_ptr<FileRules> file_rules_;  // null where the file family does not run
  std::unique_ptr<FileSums> file_sums_;
  std::unique_ptr<KernelState> kernel_;
  std::unique_ptr<FileWatch> file_watch_;
  std::unique_ptr<Identifier> identifier_;
  std::unique_ptr<Importer> importer_;
  std::unique_ptr<ConfigLoader> loader_;
  std::unique_ptr<SelfTest> self_test_;
  std::unique_ptr<BpfSource> source_;
  Monitor::Settings settings_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<Recorder> recorder_;
  FanOut fan_out_;
  std::unique_ptr<JsonlSink> jsonl_;
  std::unique_ptr<Subscribers> subscribers_;
  std::unique_ptr<Control> control_;
  UniqueFd signals_;

  std::deque<Pending> pending_;
  std::vector<int> ring_fds_;
  bool ring_armed_ = true;
  bool drain_now_ = false;
  std::uint64_t quiet_until_ = 0;  // the ring is not listened to before this boot time
  std::uint64_t unacknowledged_since_ = 0;
  std::uint64_t lost_known_ = 0;  // records, at the last reading of the counts
  // Records that may have shown a TLS library being mapped, and did not come: 0, or since when, until it is looked
  // again.
  std::uint64_t missed_known_ = 0, missed_since_ns_ = 0, look_again_ns_ = 0;
  std::uint64_t counts_ns_ = 0;                        // when they were read last
  std::optional<std::uint64_t> rewritten_rest_until_;  // nobody listens for files that are rewritten before
  std::uint64_t next_counts_ = 0;
  std::vector<ProbeBody> published_;  // as the Monitor was told last
  std::uint64_t swept_ns_ = 0;
  Control::Poll polled_;
  std::uint64_t bus_deadline_ = 0;
  std::uint64_t bus_retry_ = 0;
  std::uint64_t next_alive_ = 0;  // when the service manager is told next that we are alive
  std::string status_;
};

}  // namespace aa
