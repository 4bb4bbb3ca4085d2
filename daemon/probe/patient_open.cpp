#include "probe/patient_open.h"

#include <fcntl.h>

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <utility>

#include "base/quiet_thread.h"

namespace aa {
namespace {

constexpr std::size_t kMostHanging = 8;  // threads left behind; beyond, nothing is opened until one of them comes back

// What is taken to hang with a path that does: its folder.
std::string place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? path : path.substr(0, slash);
}

bool lies_in(const std::string& path, const std::string& place) {
  return path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/');
}

}  // namespace

// Shared with the thread, which may outlive us: it uses nothing of ours once it is given up.
struct PatientOpen::Work {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> paths;
  Open how;
  std::size_t begin = 0;  // of paths, among all
  std::size_t most = 0;
  Use use;
  std::size_t tried = 0;
  std::vector<UniqueFd> open;  // the last of those that were tried
  std::string place;           // of the path that hangs
  bool given_up = false;
  bool ended = false;

  void run() {
    std::unique_lock lock(mutex);
    while (!given_up && tried < paths.size()) {
      const std::string& path = paths[tried];
      lock.unlock();
      UniqueFd fd = how(path);
      lock.lock();
      if (given_up) break;
      open.push_back(std::move(fd));
      if (++tried == paths.size() || open.size() == most) hand_over();
    }
    ended = true;
    changed.notify_all();
  }

  void hand_over() {
    use(begin + tried - open.size(), open);
    open.clear();
  }
};

UniqueFd PatientOpen::open_path(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

bool PatientOpen::open(const std::vector<std::string>& paths, std::size_t most, const Use& use, const Open& how) {
  const std::uint64_t before = skipped_;
  for (std::size_t at = 0; at < paths.size();) {
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(hanging_, [](const std::shared_ptr<Work>& work) {
        const std::lock_guard inner(work->mutex);
        return work->ended;
      });
      if (stopping_ || hanging_.size() >= kMostHanging) return false;
    }
    const bool skips = hangs(paths[at]);
    if (skips) ++skipped_;
    at = skips ? at + 1 : open_from(at, paths, most, use, how);
  }
  return skipped_ == before;
}

// The place of the first path that is still to be done.
std::size_t PatientOpen::open_from(std::size_t begin, const std::vector<std::string>& paths, std::size_t most,
                                   const Use& use, const Open& how) try {
  const auto work = std::make_shared<Work>();
  std::size_t end = begin;
  while (end < paths.size() && !hangs(paths[end])) work->paths.push_back(paths[end++]);
  work->begin = begin;
  work->most = most;
  work->use = use;
  work->how = how;
  {
    const std::lock_guard lock(mutex_);
    now_ = work;
  }
  quiet_thread([work] { work->run(); }).detach();
  std::unique_lock lock(work->mutex);
  for (std::size_t before = 0; !work->ended && !work->given_up; before = work->tried) {
    work->changed.wait_for(lock, patience_, [&] { return work->ended || work->given_up; });
    if (!work->ended && work->tried == before) work->given_up = true;
  }
  if (!work->open.empty()) work->hand_over();
  const std::size_t hung = work->tried;
  if (hung == work->paths.size()) return end;
  work->place = place_of(work->paths[hung]);
  lock.unlock();
  ++skipped_;
  const std::lock_guard ours(mutex_);
  hanging_.push_back(work);
  unanswered_.push_back(work->paths[hung]);
  return begin + hung + 1;
} catch (const std::system_error&) {  // no room for a thread
  ++skipped_;
  return paths.size();
}

bool PatientOpen::hangs(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(hanging_.begin(), hanging_.end(),
                     [&](const std::shared_ptr<Work>& work) { return lies_in(path, work->place); });
}

std::vector<std::string> PatientOpen::take_unanswered() {
  const std::lock_guard lock(mutex_);
  return std::exchange(unanswered_, {});
}

void PatientOpen::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (now_ == nullptr) return;
  const std::lock_guard inner(now_->mutex);
  now_->given_up = true;
  now_->changed.notify_all();
}

}  // namespace aa
