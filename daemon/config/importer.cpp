#include "config/importer.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <system_error>

#include "base/proc_start.h"
#include "base/quiet_thread.h"
#include "base/unique_fd.h"
#include "config/import.h"
#include "config/import_file.h"

namespace aa {
namespace {

constexpr std::size_t kQueueMost = 256;  // of one user
constexpr std::size_t kThreadsMost = 64;
constexpr std::uint64_t kPatienceNs = 10'000'000'000;

std::optional<std::string> folder(const std::string& path) {
  if (path.empty() || path.front() != '/') return std::nullopt;
  const std::string normal = lexically_normal(path);
  return normal == "/" ? "" : normal;
}

struct Account {
  Reader reader;
  std::optional<std::string> home;
};

Account account_of(std::uint32_t uid) {
  constexpr std::uint32_t kNoGroup = 65'534;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> room(64 * 1024);
  if (::getpwuid_r(uid, &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return {{uid, kNoGroup}, std::nullopt};
  return {{uid, found->pw_gid}, folder(found->pw_dir == nullptr ? "" : found->pw_dir)};
}

void import_one(const std::string& import, int root, const Reader& reader, const ImportBase& base, Imported& out) {
  const auto broken = [&](std::string why) { out.notes.push_back({import, true, 0, "", std::move(why)}); };
  const auto parsed = parse_import(import);
  if (const auto* wrong = std::get_if<std::string>(&parsed)) return broken(*wrong);
  const auto& source = std::get<ImportSource>(parsed);
  const std::optional<std::string> path = path_of(source, base);
  if (!path) return broken("the folder it counts from is unknown");
  const Result<std::string> text = read_import(root, *path, reader);
  if (!text) {
    const Error& error = text.error();
    if (error.errno_value == ENOENT) return;  // nothing is promised
    return broken(*path + " " + error.doing +
                  (error.errno_value == 0 ? "" : std::string(": ") + std::strerror(error.errno_value)));
  }
  Promises promises = translate(source.format, *text, *path, base);
  if (promises.broken) broken(*path + ": " + *promises.broken);
  std::move(promises.rules.begin(), promises.rules.end(), std::back_inserter(out.rules));
  for (Promises::Skipped& one : promises.skipped)
    out.notes.push_back({import, false, one.line, std::move(one.entry), std::move(one.why)});
}

Imported given_up(std::uint32_t key, const std::string& why) {
  return {key, {}, {{"import", true, 0, "", why}}};
}

}  // namespace

Imported import_now(const ImportPlan& plan) {
  Imported out;
  out.key = plan.key;
  const std::string link = "/proc/" + std::to_string(plan.root.pid) + "/root";
  const UniqueFd root(::open(link.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root || !began_at(plan.root.pid, plan.root.start_ns)) {
    out.gone = plan.root;
    return out;
  }
  Account account = account_of(plan.uid);
  const ImportBase base{folder(plan.cwd), std::move(account.home)};
  for (const std::string& import : plan.imports) import_one(import, root.get(), account.reader, base, out);
  return out;
}

struct Importer::Work {
  std::mutex mutex;
  std::map<std::uint32_t, std::deque<ImportPlan>> lanes;  // by user; there while the user's thread runs
  std::map<std::uint32_t, std::uint64_t> waiting;         // by target's key: until when
  std::vector<Imported> answers;
  UniqueFd answered;

  void answer(Imported done) {
    answers.push_back(std::move(done));
    const std::uint64_t one = 1;
    (void)!::write(answered.get(), &one, sizeof(one));
  }

  void run(std::uint32_t uid) {
    std::unique_lock lock(mutex);
    for (;;) {
      std::deque<ImportPlan>& lane = lanes[uid];
      if (lane.empty()) break;
      const ImportPlan plan = std::move(lane.front());
      lane.pop_front();
      if (!waiting.contains(plan.key)) continue;  // given up on
      lock.unlock();
      Imported done = import_now(plan);
      lock.lock();
      if (waiting.erase(plan.key) > 0) answer(std::move(done));
    }
    lanes.erase(uid);
  }
};

Result<std::unique_ptr<Importer>> Importer::make() {
  auto work = std::make_shared<Work>();
  work->answered.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!work->answered) return Error{"make an event descriptor", errno, ""};
  return std::unique_ptr<Importer>(new Importer(std::move(work)));
}

Importer::~Importer() {
  const std::lock_guard lock(work_->mutex);
  work_->waiting.clear();  // what the threads still hold is for nobody
}

void Importer::ask(const ImportPlan& plan, std::uint64_t now_boot_ns) {
  const std::lock_guard lock(work_->mutex);
  const auto lane = work_->lanes.find(plan.uid);
  const bool runs = lane != work_->lanes.end();
  if (runs ? lane->second.size() >= kQueueMost : work_->lanes.size() >= kThreadsMost)
    return work_->answer(given_up(plan.key, "too many files are being read already"));
  work_->waiting[plan.key] = now_boot_ns + kPatienceNs;
  work_->lanes[plan.uid].push_back(plan);
  if (!runs && !start(plan.uid)) {
    work_->lanes.erase(plan.uid);
    work_->waiting.erase(plan.key);
    work_->answer(given_up(plan.key, "there is no room for a thread that reads its files"));
  }
}

bool Importer::start(std::uint32_t uid) try {
  quiet_thread([work = work_, uid] { work->run(uid); }).detach();
  return true;
} catch (const std::system_error&) {
  return false;
}

int Importer::fd() const {
  return work_->answered.get();
}

std::vector<Imported> Importer::take() {
  std::uint64_t count = 0;
  (void)!::read(work_->answered.get(), &count, sizeof(count));
  const std::lock_guard lock(work_->mutex);
  return std::exchange(work_->answers, {});
}

std::optional<std::uint64_t> Importer::next_deadline() const {
  const std::lock_guard lock(work_->mutex);
  std::optional<std::uint64_t> next;
  for (const auto& [key, until] : work_->waiting) next = std::min(next.value_or(until), until);
  return next;
}

void Importer::on_time(std::uint64_t now_boot_ns) {
  const std::lock_guard lock(work_->mutex);
  std::erase_if(work_->waiting, [&](const auto& entry) {
    if (entry.second > now_boot_ns) return false;
    work_->answer(given_up(entry.first, "its files could not be read within 10 seconds"));
    return true;
  });
}

}  // namespace aa
