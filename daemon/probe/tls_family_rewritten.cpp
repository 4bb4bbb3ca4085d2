// tls_family_rewritten.cpp: the TLS family's files that are rewritten in place: let go of, and read again.
//
// Who rewrites a file again and again is noted once, and has it read once in a while.
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "abi/filter.h"
#include "base/clock.h"
#include "base/file_text.h"
#include "probe/kernel_age.h"
#include "probe/tls_family.h"

namespace aa {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kReadAgainNs = 1000 * kMillisecond;  // of one file
constexpr std::uint64_t kDetachingNs = 10 * kMillisecond;    // until it is asked again whether that is done
constexpr std::uint64_t kRests = 4;  // so many times as long as the last file took: a fifth of the time for all of them
constexpr int kMostReads = 16;       // in one turn; the kernel keeps about as many notes

}  // namespace

// nullopt: changed so shortly ago that the next change may have the same time.
std::optional<TlsFamily::ChangeTime> TlsFamily::change_of(const UniqueFd& file) {
  constexpr std::int64_t kTickNs = 50 * kMillisecond, kSecond = 1000 * kMillisecond;
  struct statx status {};
  if (::statx(AT_FDCWD, link_to(file).c_str(), AT_STATX_DONT_SYNC, STATX_CTIME, &status) != 0) return std::nullopt;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t age = (now.tv_sec - status.stx_ctime.tv_sec) * kSecond + now.tv_nsec - status.stx_ctime.tv_nsec;
  if (age < kTickNs) return std::nullopt;
  return ChangeTime{status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec};
}

bool TlsFamily::take_changes() {
  alignas(inotify_event) std::array<char, 16'384> buffer;
  const std::uint64_t now = boot_ns();
  bool changed = false;
  for (int reads = 0; reads < kMostReads; ++reads) {
    const ssize_t got = ::read(changes_->get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0 && look_at_all_ns_ == 0) look_at_all_ns_ = looked_at_all_ns_ + kReadAgainNs;
      if (const auto found = watches_.find(event.wd); found != watches_.end())
        changed = take_change(*found->second, event.mask, now) || changed;
    }
    if (got < static_cast<ssize_t>(buffer.size() / 2)) break;
  }
  return changed;
}

bool TlsFamily::take_change(MetFile& one, std::uint32_t mask, std::uint64_t now) {
  auto& [file, met] = one;
  const bool is_first = (mask & IN_MODIFY) != 0 && met.unheard_since_ns == 0;
  if (is_first) let_go_of(file, met, now);
  if ((mask & IN_MODIFY) != 0) {
    met.is_closed = false;
    met.written_ns = now;
    go_on_at(one, now + kReadAgainNs);  // whether it is closed or not: who truncates has nothing to close
  }
  if ((mask & IN_CLOSE_WRITE) != 0 && met.unheard_since_ns != 0) {
    met.is_closed = true;
    go_on_at(one, now);
  }
  return is_first;
}

void TlsFamily::let_go_of(const FileNumbers& file, Met& met, std::uint64_t now) {
  std::vector<TlsLinks> links;
  links.push_back(std::exchange(met.links, {}));
  met.library.reset();
  met.unattached = false;
  met.unheard_since_ns = now;
  if (processes_)
    for (auto& [process, its_links] : processes_->take(file)) {
      met.interrupted.emplace_back(process, now);
      links.push_back(std::move(its_links));
    }
  met.detached = detacher_->detach(std::move(links));
  ProbeBody& state = states_[met.state];
  state.state = ProbeState::degraded;
  state.reason =
      "it is being rewritten in place: not listened to until its writer has closed it or rests, and it was read again, "
      "once a second at most";
}

// Or sooner, when that was noted already.
void TlsFamily::go_on_at(MetFile& one, std::uint64_t boot_ns) {
  std::uint64_t& noted = one.second.noted_ns;
  if (noted != 0 && noted <= boot_ns) return;
  if (noted != 0) rewritten_.erase({noted, &one});
  noted = boot_ns;
  rewritten_.emplace(boot_ns, &one);
}

std::optional<std::uint64_t> TlsFamily::next_rewritten() const {
  std::optional<std::uint64_t> next;
  if (!rewritten_.empty()) next = std::max(rewritten_.begin()->first, rest_until_ns_);
  if (look_at_all_ns_ != 0) next = next ? std::min(*next, look_at_all_ns_) : look_at_all_ns_;
  return next;
}

std::optional<LossBody> TlsFamily::look_into_rewritten() {
  const std::uint64_t began = boot_ns();
  if (look_at_all_ns_ != 0 && look_at_all_ns_ <= began) look_at_all(began);
  if (began < rest_until_ns_) return std::nullopt;
  const std::uint64_t unheard_since_ns = go_on_with_next(began);
  const std::uint64_t now = boot_ns();
  rest_until_ns_ = now + kRests * (now - began);
  if (unheard_since_ns == 0) return std::nullopt;
  return LossBody{"tls", "late-attach", 0, unheard_since_ns, now};
}

// Whose time of change is another, or says nothing, is taken for rewritten.
void TlsFamily::look_at_all(std::uint64_t now) {
  look_at_all_ns_ = 0;
  looked_at_all_ns_ = now;
  for (auto& [watch, one] : watches_) {
    const Met& met = one->second;
    const auto change = met.unheard_since_ns == 0 ? change_of(met.file) : std::nullopt;
    if (!change || change != met.change) news_ = take_change(*one, IN_MODIFY | IN_CLOSE_WRITE, now) || news_;
  }
}

// Since when nobody heard what is attached to now; 0: nothing is.
std::uint64_t TlsFamily::go_on_with_next(std::uint64_t now) {
  if (rewritten_.empty() || rewritten_.begin()->first > now) return 0;
  MetFile& one = *rewritten_.begin()->second;
  rewritten_.erase(rewritten_.begin());
  Met& met = one.second;
  met.noted_ns = 0;
  if (met.unheard_since_ns == 0) return attach_to_next(one, now);
  if (!met.is_closed && met.written_ns + kReadAgainNs > now) return go_on_at(one, met.written_ns + kReadAgainNs), 0;
  if (met.unattached && patience_.is_waited_for()) return go_on_at(one, now + kReadAgainNs), 0;  // maybe for this one
  const std::uint64_t may_be_read_ns = *met.detached ? met.read_ns + kReadAgainNs : now + kDetachingNs;
  if (may_be_read_ns > now) return go_on_at(one, may_be_read_ns), 0;
  return read_again(one, now);
}

std::uint64_t TlsFamily::read_again(MetFile& one, std::uint64_t now) {
  Met& met = one.second;
  const std::uint64_t since = std::exchange(met.unheard_since_ns, 0);
  met.read_ns = now;
  met.change = change_of(met.file);
  const bool is_first = !std::exchange(met.unattached, false);
  if (is_first && !kernel_has_callbacks())  // no cookie says it of this library alone; before it is heard again
    __atomic_add_fetch(&static_cast<aa_tls_settings*>(settings_map_.data())->relistened, 1u, __ATOMIC_SEQ_CST);
  listen(met, read(link_to(met.file), ++met.rewritings));
  news_ = true;
  if (met.unattached) {  // for want of something: it is read again until there is
    met.unheard_since_ns = since;
    go_on_at(one, now + kReadAgainNs);
    return 0;
  }
  if (met.library && !met.interrupted.empty()) go_on_at(one, now);
  return watching_ && !met.links.empty() ? since : 0;
}

std::uint64_t TlsFamily::attach_to_next(MetFile& one, std::uint64_t now) {
  auto& [file, met] = one;
  if (!met.library || met.interrupted.empty()) return 0;  // until it is a library again
  const auto [process, since] = met.interrupted.back();
  met.interrupted.pop_back();
  const auto error = attach_again(process, file, met.library);
  const bool wants = error && *error != ETIMEDOUT && may_be_read_later(*error);
  if (wants) met.interrupted.emplace(met.interrupted.begin(), process, since);  // others first
  if (!met.interrupted.empty()) go_on_at(one, wants ? now + kReadAgainNs : now);
  return error ? 0 : since;
}

// nullopt: it is attached to, or has ended, whatever it said until then. Else why it is not.
std::optional<int> TlsFamily::attach_again(const ProcessId& process, const FileNumbers& file,
                                           const std::shared_ptr<const TlsLibrary>& library) {
  if (is_gone(process.pid, process.start_ns)) return std::nullopt;
  const TlsProcesses::Row* row = processes_->find(process, file);
  if (row != nullptr && !row->trouble) return std::nullopt;
  if (row != nullptr) processes_->let_go(process, file);  // in vain
  if (attach_in(process, file, library)) return std::nullopt;
  row = processes_->find(process, file);
  return row != nullptr ? std::optional(row->trouble->errno_value) : std::nullopt;
}

}  // namespace aa
