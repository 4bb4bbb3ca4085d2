// daemon.cpp: opening the rooms and running the loop. The flow between them is in daemon_flow.cpp.
#include "daemon.h"

#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <future>
#include <set>

#include "base/clock.h"
#include "base/notify.h"
#include "base/resident.h"
#include "config/patient_read.h"
#include "probe/kernel_types.h"
#include "probe/libbpf_log.h"
#include "sink/journal.h"

namespace aa {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// What ~ stands for in path rules: the homes of root and of people, as the user database has them, and where they
// really are, for a link on the way (/home → /data/home) is in no path that the kernel shows.
std::vector<std::string> user_homes() {
  constexpr uid_t kFirstPerson = 1000;
  constexpr uid_t kNobody = 65'534;
  std::set<std::string> homes;
  PatientRead links;
  ::setpwent();
  while (const passwd* user = ::getpwent()) {
    const std::string home = user->pw_dir == nullptr ? "" : user->pw_dir;
    const bool person = user->pw_uid == 0 || (user->pw_uid >= kFirstPerson && user->pw_uid != kNobody);
    if (!person || home.size() <= 1 || home.front() != '/') continue;
    homes.insert(lexically_normal(home));
    if (const auto real = links.end_of_links(home)) homes.insert(*real);
  }
  ::endpwent();
  return {homes.begin(), homes.end()};
}

// It is the file family that tells what is mapped.
ProbeBody late_libraries_unseen(bool by_process) {
  return {"tls",
          "discovery",
          "mmap",
          ProbeState::degraded,
          0,
          by_process ? "without the file family a library is found only in who has it mapped when watching begins, "
                       "when a program of its starts, or when it forks; what is mapped later is not"
                     : "without the file family a library is found at the start of its program only; what is mapped "
                       "later is not, unless it was attached before"};
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::make(const Options& options, const Config& config) {
  std::unique_ptr<Daemon> daemon(new Daemon(options, config));
  if (Status guarded = daemon->start_guard(); !guarded) return guarded.error();
  auto loop = EventLoop::make(&boot_ns);
  if (!loop) return loop.error();
  daemon->loop_ = std::move(*loop);
  auto watch = FileWatch::make();
  if (!watch) return watch.error();
  daemon->file_watch_ = std::move(*watch);
  daemon->open_monitor();
  daemon->apply_live(daemon->latest_);
  if (!options.list_probes)
    if (Status sinks = daemon->open_sinks(); !sinks) return sinks.error();
  if (Status kernel = daemon->open_kernel(); !kernel) return kernel.error();
  if (options.list_probes) return daemon;
  if (Status recording = daemon->open_recording(); !recording) return recording.error();
  auto identifier = Identifier::make();
  if (!identifier) return identifier.error();
  daemon->identifier_ = std::move(*identifier);
  auto importer = Importer::make();
  if (!importer) return importer.error();
  daemon->importer_ = std::move(*importer);
  auto loader = ConfigLoader::make();
  if (!loader) return loader.error();
  daemon->loader_ = std::move(*loader);
  daemon->input(TimePassed{boot_ns()});  // so that the first events are dated
  daemon->publish_probes();
  daemon->configure();  // the kernel takes the path rules in while the bus is opened
  if (Status control = daemon->open_control(); !control) return control.error();
  if (Status wired = daemon->wire_loop(); !wired) return wired.error();
  daemon->await_rules();
  if (daemon->start_refusal_)
    return Error{"put the configuration in force: " + daemon->start_refusal_->sentence, 0, ""};
  daemon->take_over_undecided();
  daemon->restore_runtime();
  give_back_what_starting_took();  // the kernel's whole BTF was parsed: tens of megabytes, and code to do it
  return daemon;
}

// Families let go side by side: before the kernel lets go of a program it waits for everybody who might be running it,
// for each kind of program in another way.
Daemon::~Daemon() {
  if (!files_ || !tls_) return;
  const auto files =
      std::async([this] { files_->detach(); });  // without room for a thread: files_ does it at its own end
  tls_->detach();
}

// Before there are threads.
Status Daemon::start_guard() {
  if (config_.tls.hold_new_library == "off" || config_.families.tls == "off") return Done{};
  auto guard = HoldGuard::start(static_cast<std::uint32_t>(config_.tls.hold_ms));
  if (!guard) return guard.error();
  hold_guard_ = std::move(*guard);
  return Done{};
}

void Daemon::open_monitor() {
  Monitor::Settings settings;
  settings.boot_id = read_boot_id();
  settings.realtime_offset_ns = realtime_offset_ns();
  settings.watched_limit = static_cast<std::uint32_t>(config_.watched.limit);
  settings.target_share = static_cast<std::uint32_t>(config_.watched.share);
  settings.texts.argv_bytes = config_.lifecycle.argv_bytes;
  settings.texts.total_bytes = config_.lineage.text_mib << 20;
  settings.homes = user_homes();
  settings_ = settings;
  monitor_ = std::make_unique<Monitor>(std::move(settings));
}

Status Daemon::open_kernel() {
  if (Status families = open_families(); !families) return families;
  auto kernel = KernelState::make(*family_, *files_, *tls_, cgroups_);
  if (!kernel) return kernel.error();
  kernel_ = std::move(*kernel);
  if (Status rings = open_rings(); !rings) return rings;
  self_test_ = std::make_unique<SelfTest>(*family_, *files_, *tls_, *kernel_);
  Status tested = self_test_->run([this] {
    while (source_->drain(source_->mark(), 1024)) continue;
    source_->release(source_->stamp());
  });
  family_->set_watching(false);
  files_->set_watching(false);
  (void)source_->set_watching(false);
  if (!tested || !files_->runs() || options_.list_probes) return tested;
  auto rules = FileRules::make(*files_);
  if (!rules) return rules.error();
  file_rules_ = std::move(*rules);
  auto sums = FileSums::make(*files_);
  if (!sums) return sums.error();
  file_sums_ = std::move(*sums);
  return Done{};
}

// Side by side: most of the time until READY the kernel makes maps and loads programs, for each caller by itself.
Status Daemon::open_families() {
  keep_libbpf_log();
  auto types = std::async(std::launch::async, &kernel_btf);  // once for all of them: kept until the last is open
  auto shared = SharedMaps::make({static_cast<std::uint32_t>(config_.lifecycle.ring_kib * 1024),
                                  static_cast<std::uint32_t>(config_.watched.limit)});
  if (!shared) return shared.error();
  types.wait();
  auto files = std::async(std::launch::async, [&] { open_files(*shared); });
  auto tls = std::async(std::launch::async, [&] { open_tls(*shared); });
  Status exec = open_exec(*shared);
  files.get();
  tls.get();
  return exec;
}

Status Daemon::open_exec(const SharedMaps& shared) {
  ExecFamilySettings settings;
  settings.argv_bytes = static_cast<std::uint32_t>(config_.lifecycle.argv_bytes);
  if (config_.lifecycle.hooks == "tp_btf") settings.hooks = HookSet::tp_btf;
  if (config_.lifecycle.hooks == "raw_tp") settings.hooks = HookSet::raw_tp;
  settings.watched_limit = static_cast<std::uint32_t>(config_.watched.limit);
  auto family = ExecFamily::make(settings, shared);
  if (!family) return family.error();
  family_ = std::move(*family);
  return Done{};
}

void Daemon::open_files(const SharedMaps& shared) {
  FileFamilySettings settings;
  settings.on = config_.families.file == "on";
  settings.ring_bytes = static_cast<std::uint32_t>(config_.file.ring_kib * 1024);
  settings.sums = static_cast<std::uint32_t>(config_.file.sums);
  settings.each = config_.file.reads == "each";
  if (config_.file.hooks == "fentry") settings.hooks = FileHooks::fentry;
  if (config_.file.hooks == "kprobe") settings.hooks = FileHooks::kprobe;
  if (config_.file.hooks == "tracepoint") settings.hooks = FileHooks::tracepoint;
  files_ = FileFamily::make(settings, shared);
}

// Before any agent starts: what is attached to a file is seen from the first call of whoever maps it.
void Daemon::open_tls(const SharedMaps& shared) {
  TlsFamilySettings settings;
  settings.on = config_.families.tls == "on";
  settings.ring_bytes = static_cast<std::uint32_t>(config_.tls.ring_kib * 1024);
  settings.call_bytes = static_cast<std::uint32_t>(config_.tls.call_kib * 1024);
  settings.calls = static_cast<std::uint32_t>(config_.tls.calls);
  settings.connections = static_cast<std::uint32_t>(config_.tls.connections);
  if (config_.tls.hooks == "uprobe_multi") settings.hooks = TlsHooks::uprobe_multi;
  if (config_.tls.hooks == "uprobe") settings.hooks = TlsHooks::uprobe;
  if (config_.tls.return_probes == "auto") settings.return_probes = TlsReturnProbes::anywhere;
  if (config_.tls.return_probes == "off") settings.return_probes = TlsReturnProbes::nowhere;
  settings.by_process = config_.tls.scope == "watched";
  tls_ = TlsFamily::make(settings, shared);
  for (const std::string& path : usual_tls_libraries()) tls_->attach(path, path);
  if (hold_guard_ && tls_->runs()) hold_ = TlsHold::make(std::move(hold_guard_), shared);
  tls_discovery_ = std::make_unique<TlsDiscovery>(*tls_, hold_.get());
}

Status Daemon::open_rings() {
  std::vector<std::unique_ptr<RingReader>> rings;
  const auto open = [&](int fd, std::uint64_t kib) -> Status {
    auto ring = RingReader::make(fd, kib * 1024);
    if (!ring) return ring.error();
    rings.push_back(std::move(*ring));
    ring_fds_.push_back(fd);
    return Done{};
  };
  if (Status opened = open(family_->ring_fd(), config_.lifecycle.ring_kib); !opened) return opened;
  if (files_->runs())
    if (Status opened = open(files_->ring_fd(), config_.file.ring_kib); !opened) return opened;
  if (tls_->runs())
    if (Status opened = open(tls_->ring_fd(), config_.tls.ring_kib); !opened) return opened;
  constexpr std::size_t kDirections = 2;
  source_ = std::make_unique<BpfSource>(std::move(rings), cgroups_, Redactor(kDirections * config_.tls.connections),
                                        [this](Event event) { take_record(std::move(event)); });
  return Done{};
}

// Ready means judged: nothing shall be watched before the rules are in force. A path that cannot be opened in that time
// (a dead network mount) is waited for no longer: the set comes into force when it can.
void Daemon::await_rules() {
  if (!file_rules_ || !file_rules_->has_untaken()) return;  // a configuration may have no rules
  constexpr int kPatienceMs = 10'000;
  pollfd poll{file_rules_->done_fd(), POLLIN, 0};
  if (::poll(&poll, 1, kPatienceMs) <= 0) {
    spdlog::warn("the path rules are not in force yet: opening one of their paths takes long");
    return;
  }
  for (const RulesInForce& done : file_rules_->take()) input(done);
  tell_unanswered();
}

void Daemon::tell_unanswered() {
  for (const std::string& path : file_rules_->take_unanswered())
    spdlog::warn("{} cannot be looked at, its file system does not answer: rules for its folder go by paths alone",
                 path);
}

std::vector<ProbeBody> Daemon::probes() const {
  std::vector<ProbeBody> probes = family_->states();
  for (ProbeBody& probe : files_->states()) probes.push_back(std::move(probe));
  for (ProbeBody& probe : tls_->states()) probes.push_back(std::move(probe));
  if (hold_) probes.push_back(hold_->state());
  if (tls_->runs() && !files_->runs() && !(hold_ && hold_->runs()))
    probes.push_back(late_libraries_unseen(tls_->is_by_process()));
  return probes;
}

Status Daemon::open_sinks() {
  subscribers_ = std::make_unique<Subscribers>(*loop_);
  fan_out_.add(*subscribers_);
  fan_out_.add([this](const Event& event) {
    if (journal_least_) log_event(event, *journal_least_);
  });
  fan_out_.add([this](const Event& event) {
    if (control_ && latest_.dbus.signals == "on") control_->signal(event);
  });
  if (!config_.jsonl.path.empty() || options_.foreground) {
    JsonlSink::File file{config_.jsonl.path, config_.jsonl.max_mib << 20, config_.jsonl.files,
                         config_.jsonl.fsync == "batch", config_.jsonl.group};
    auto sink =
        options_.foreground ? JsonlSink::over(UniqueFd(::dup(STDOUT_FILENO))) : JsonlSink::open(std::move(file));
    if (!sink) return sink.error();
    jsonl_ = std::move(*sink);
    fan_out_.add(*jsonl_);
  }
  return Done{};
}

Status Daemon::open_recording() {
  if (options_.record.empty()) return Done{};
  auto recorder = Recorder::open(options_.record, settings_);
  if (!recorder) return recorder.error();
  recorder_ = std::move(*recorder);
  return Done{};
}

// A capture with a hole would tell another story: it is given up whole, and lacks its end mark.
void Daemon::settle_recording() {
  if (!recorder_ || recorder_->settle()) return;
  spdlog::error("the recording to {} is given up: {}", options_.record, recorder_->trouble());
  recorder_.reset();
}

Status Daemon::open_control() {
  auto control = Control::make(options_.bus, house());
  if (!control) return control.error();
  control_ = std::move(*control);
  for (const std::string& unit : std::set(units_sought_)) find_unit(unit);
  return Done{};
}

Status Daemon::wire_loop() {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return Error{"receive signals", errno, ""};
  if (Status added = loop_->add(signals_.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); }); !added) return added;
  for (const int fd : ring_fds_)
    if (Status added = loop_->add(fd, EPOLLIN, [this](std::uint32_t) { drain_now_ = true; }); !added) return added;
  if (file_rules_) {
    const auto rules_done = [this](std::uint32_t) {
      for (RulesInForce& done : file_rules_->take()) complete_later(std::move(done));
      tell_unanswered();
    };
    if (Status added = loop_->add(file_rules_->done_fd(), EPOLLIN, rules_done); !added) return added;
    const auto sums_done = [this](std::uint32_t) { complete_later(SumsFlipped{boot_ns(), file_sums_->take()}); };
    if (Status added = loop_->add(file_sums_->done_fd(), EPOLLIN, sums_done); !added) return added;
  }
  const auto identified = [this](std::uint32_t) {
    for (Identified& done : identifier_->take()) input(std::move(done));
  };
  if (Status added = loop_->add(identifier_->fd(), EPOLLIN, identified); !added) return added;
  if (tls_->runs())
    if (Status added = loop_->add(tls_->changes_fd(), EPOLLIN, [this](std::uint32_t) { take_rewritten(); }); !added)
      return added;
  loop_->add_deadline([this] { return rewritten_rest_until_; }, [this] { listen_for_rewritten(); });
  loop_->add_deadline([this] { return tls_->next_rewritten(); }, [this] { look_into_rewritten(); });
  loop_->add_deadline([this] { return tls_discovery_->next_waiting(); }, [this] { look_into_waiting(); });
  const auto look_again_at = [this] { return missed_since_ns_ == 0 ? std::nullopt : std::optional(look_again_ns_); };
  loop_->add_deadline(look_again_at, [this] { look_again(); });
  if (hold_ && hold_->runs()) {
    hold_->begin();
    if (Status added = loop_->add(hold_->fd(), EPOLLIN, [this](std::uint32_t) { take_held(); }); !added) return added;
    loop_->add_deadline([this] { return hold_->next_deadline(); }, [this] { look_into_held(); });
  }
  if (Status added = loop_->add(file_watch_->fd(), EPOLLIN, [this](std::uint32_t) { file_watch_->take(boot_ns()); });
      !added)
    return added;
  loop_->add_deadline([this] { return file_watch_->next_deadline(); },
                      [this] {
                        file_watch_->on_time();
                        reload(0);
                      });
  if (Status added = loop_->add(loader_->fd(), EPOLLIN, [this](std::uint32_t) { take_loaded(); }); !added) return added;
  const auto imported = [this](std::uint32_t) {
    for (Imported& done : importer_->take()) input(std::move(done));
  };
  if (Status added = loop_->add(importer_->fd(), EPOLLIN, imported); !added) return added;
  loop_->add_deadline([this] { return importer_->next_deadline(); }, [this] { importer_->on_time(boot_ns()); });
  if (jsonl_) {
    if (Status added = loop_->add(jsonl_->ack_fd(), EPOLLIN, [this](std::uint32_t) { acknowledge(); }); !added)
      return added;
  }
  loop_->add_deadline([this] { return ring_armed_ ? std::nullopt : std::optional(quiet_until_); },
                      [this] { drain_now_ = true; });
  loop_->add_deadline([this] { return source_->next_deadline(); }, [this] { source_->on_time(boot_ns()); });
  loop_->add_deadline([this] { return monitor_->next_deadline(); }, [this] { input(TimePassed{boot_ns()}); });
  loop_->add_deadline([this] { return next_counts_ == 0 ? std::nullopt : std::optional(next_counts_); },
                      [this] {
                        refresh_counts();
                        update_status();
                      });
  loop_->add_deadline([this] { return bus_deadline_ == 0 ? std::nullopt : std::optional(bus_deadline_); },
                      [this] { bus_deadline_ = 0; });
  loop_->add_deadline([this] { return bus_retry_ == 0 ? std::nullopt : std::optional(bus_retry_); },
                      [this] {
                        bus_retry_ = boot_ns() + kSecond;
                        if (open_control()) {
                          bus_retry_ = 0;
                          spdlog::info("the bus is back, the name is owned again");
                        }
                      });
  if (const auto every = notify::watchdog_ns()) {  // from the loop: what hangs is not alive
    next_alive_ = boot_ns();
    loop_->add_deadline([this] { return std::optional(next_alive_); },
                        [this, every] {
                          next_alive_ = boot_ns() + *every;
                          notify::alive();
                        });
  }
  loop_->add_turn([this] { return bus_turn(); });
  loop_->add_turn([this] { return turn(); });
  return Done{};
}

Status Daemon::run() {
  if (config_.files.empty()) spdlog::info("there is no configuration file: every key has its built-in default");
  update_status();
  notify::ready(status_);
  if (options_.ready_fd >= 0) {
    (void)!::write(options_.ready_fd, "READY\n", 6);
    ::close(options_.ready_fd);
  }
  spdlog::info("ready: {}", status_);
  Status ended = loop_->run();
  notify::stopping();
  take_last();
  source_->end_all();
  settle();
  keep_runtime();
  if (recorder_) recorder_->finish();
  return ended;
}

// What is in the rings, and what files were summed up to now.
void Daemon::take_last() {
  SumsFlipped last{0, file_sums_ ? file_sums_->take_all() : std::vector<FileSum>()};
  drain();
  last.boot_ns = boot_ns();
  if (file_sums_) input(std::move(last));
}

void Daemon::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP)
      reload(0);
    else
      loop_->stop();
  }
}

// ---- the bus
// ---------------------------------------------------------------------------------------------------------

Control::House Daemon::house() {
  Control::House house;
  house.command = [this](Command command) {
    input(std::move(command));
    drain_now_ = true;
  };
  house.reload = [this](Token token) { reload(token); };
  house.awaiting_restart = [this] { return awaiting_restart(); };
  house.admitted = &admitted_;
  house.monitor = monitor_.get();
  house.subscribe = [this](const StreamFilter& filter, std::function<bool()> allowed) {
    return subscribers_->add(filter, std::move(allowed));
  };
  house.counters = [this] { return counters(); };
  house.tls_stacks = [this](std::uint32_t pid) { return tls_discovery_->explain(pid); };
  house.version = AA_VERSION;
  house.config_file = config_.files.empty() ? "" : config_.files.front();
  house.events_file = config_.jsonl.path;
  house.boot_time_ns = static_cast<std::uint64_t>(realtime_offset_ns());
  house.self_pid = kernel_->self();
  return house;
}

bool Daemon::bus_turn() {
  if (!control_) return false;
  constexpr int kBudget = 64;
  const Result<bool> more = control_->process(kBudget);
  if (!more) {
    bus_lost(more.error());
    return false;
  }
  const Control::Poll now = control_->poll();
  const auto bits = static_cast<std::uint32_t>(now.events);  // POLLIN and POLLOUT are EPOLLIN and EPOLLOUT
  if (now.fd != polled_.fd || now.wake_fd != polled_.wake_fd) {
    forget_bus_fds();
    (void)loop_->add(now.fd, bits, [](std::uint32_t) {});  // being woken is all: the turn does the work
    if (now.wake_fd >= 0) (void)loop_->add(now.wake_fd, EPOLLIN, [](std::uint32_t) {});
  } else if (now.events != polled_.events) {
    loop_->modify(now.fd, bits);
  }
  polled_ = now;
  bus_deadline_ = now.timeout_ms < 0 ? 0 : boot_ns() + static_cast<std::uint64_t>(now.timeout_ms) * 1'000'000 + 1;
  return *more;
}

void Daemon::forget_bus_fds() {
  if (polled_.fd >= 0) loop_->remove(polled_.fd);
  if (polled_.wake_fd >= 0) loop_->remove(polled_.wake_fd);
  polled_ = {};
}

void Daemon::bus_lost(const Error& error) {
  spdlog::error("the bus is gone ({}); events go on, and the name is asked for again every second", error.text());
  forget_bus_fds();
  control_.reset();
  bus_deadline_ = 0;
  bus_retry_ = boot_ns() + kSecond;
}

std::vector<std::pair<std::string, std::uint64_t>> Daemon::counters() {
  refresh_counts();
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  for (const LedgerRow& row : monitor_->ledger()) counters.emplace_back(row.family + "." + row.cause, row.count);
  counters.emplace_back("exec.delivered", source_->counts().exec_records);
  counters.emplace_back("file.delivered", source_->counts().file_records);
  counters.emplace_back("file.allowed", monitor_->allowed());
  counters.emplace_back("tls.delivered", source_->counts().tls_records);
  if (tls_->is_by_process()) {
    counters.emplace_back("tls.attached", tls_->counts().attached);
    counters.emplace_back("tls.attach-us", tls_->counts().took_ns / 1000);
  }
  if (hold_) {
    counters.emplace_back("tls.held", hold_->counts().held);
    counters.emplace_back("tls.hold-missed", hold_->counts().missed);
  }
  counters.emplace_back("events.delivered", monitor_->delivered());
  counters.emplace_back("detect.unidentified", identifier_->counts().dropped);
  counters.emplace_back("detect.unreadable", identifier_->counts().unreadable);
  if (jsonl_) {
    const JsonlSink::Counts counts = jsonl_->counts();
    counters.emplace_back("jsonl.written", counts.written);
    counters.emplace_back("jsonl.write-error", counts.write_errors.count);
    counters.emplace_back("jsonl.sink-stalled", counts.stalled.count);
  }
  counters.emplace_back("lineage.living", monitor_->lineage().living());
  counters.emplace_back("lineage.remembered", monitor_->lineage().size());
  counters.emplace_back("subscriber.delivered", subscribers_->counts().delivered);
  counters.emplace_back("subscriber.lost", subscribers_->counts().lost);
  counters.emplace_back("subscriber.open", subscribers_->size());
  std::sort(counters.begin(), counters.end());
  return counters;
}

void Daemon::update_status() {
  std::uint64_t running = 0, processes = 0, events = 0;
  for (const Target* target : monitor_->targets()) {
    if (!target->running) continue;
    ++running;
    processes += target->live;
  }
  events = monitor_->delivered();
  std::string status = "watching " + std::to_string(processes) + " process(es) of " + std::to_string(running) +
                       " target(s), " + std::to_string(events) + " event(s) delivered";
  if (status == status_) return;
  status_ = std::move(status);
  notify::status(status_);
}

}  // namespace aa
