#include "config/watch_files.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "config/load.h"

namespace aa {
namespace {

constexpr std::uint64_t kQuietNs = 200'000'000;   // so long nothing more may come,
constexpr std::uint64_t kMostNs = 2'000'000'000;  // but a burst is not waited for longer
constexpr std::uint32_t kFiles = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
constexpr std::uint32_t kFolders = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;

// A link of either kind is there at once; a file that is made is still to be written and closed.
bool is_whole(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && (S_ISLNK(status.st_mode) || status.st_nlink > 1);
}

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::make() {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return Error{"watch files for changes", errno, "fs.inotify.max_user_instances may be too small"};
  return std::unique_ptr<FileWatch>(new FileWatch(std::move(inotify)));
}

void FileWatch::watch(const std::string& main_file, const std::vector<std::string>& rule_files) {
  main_file_ = main_file;
  rule_files_ = rule_files;
  arm();
}

void FileWatch::watch_nothing() {
  main_file_.clear();
  rule_files_.clear();
  arm();
  due_ns_.reset();
}

// Links may lead elsewhere by now.
void FileWatch::want() {
  wanted_.clear();
  if (main_file_.empty()) return;
  want_way_to(main_file_);
  for (const std::string& file : rule_files_) want_way_to(file);
  const std::string drop_ins = want_way_to(drop_in_folder(main_file_));
  wanted_[drop_ins].drop_ins = true;
  std::error_code unreadable, none;
  for (std::filesystem::directory_iterator at(drop_ins, unreadable), end; !unreadable && at != end;
       at.increment(unreadable))
    if (is_config_name(last_component(at->path().native())) && at->is_symlink(none)) want_way_to(at->path());
}

// Each name on the way, links followed, in the folder it lies in. Where the way ends, or the first that is not there.
std::string FileWatch::want_way_to(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel
  std::filesystem::path at = "/";
  std::deque<std::filesystem::path> ahead;
  const auto lead_to = [&](const std::filesystem::path& where) {
    if (where.is_absolute()) at = "/";
    const std::filesystem::path parts = where.relative_path();
    ahead.insert(ahead.begin(), parts.begin(), parts.end());
  };
  lead_to(std::filesystem::absolute(path));
  for (int links = 0; !ahead.empty() && links <= kMostLinks;) {
    const std::filesystem::path name = ahead.front();
    ahead.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      at = at.parent_path();
      continue;
    }
    wanted_[at].files.insert(name);
    std::error_code none;
    const auto kind = std::filesystem::symlink_status(at / name, none).type();
    if (kind == std::filesystem::file_type::symlink) {
      lead_to(std::filesystem::read_symlink(at / name, none));
      ++links;
    } else {
      at /= name;
      if (kind == std::filesystem::file_type::not_found) break;
    }
  }
  return at;
}

// A folder that took the place of another is another one to the kernel, with the same path.
void FileWatch::arm() {
  want();
  std::map<int, std::vector<std::string>> armed;  // a folder may have several paths
  for (const auto& [folder, names] : wanted_) {
    const int descriptor = ::inotify_add_watch(inotify_.get(), folder.c_str(), kFiles | kFolders | IN_ONLYDIR);
    if (descriptor >= 0) armed[descriptor].push_back(folder);
  }
  for (const auto& [descriptor, folders] : armed_)
    if (!armed.contains(descriptor)) ::inotify_rm_watch(inotify_.get(), descriptor);
  armed_ = std::move(armed);
}

bool FileWatch::counts(int descriptor, std::uint32_t mask, const std::string& name) const {
  if ((mask & IN_Q_OVERFLOW) != 0) return true;
  const auto folder = armed_.find(descriptor);
  if (folder == armed_.end() || (mask & ((mask & IN_ISDIR) != 0 ? kFolders : kFiles)) == 0) return false;
  return std::ranges::any_of(folder->second, [&](const std::string& spelling) {
    const Names& names = wanted_.at(spelling);
    const bool is_ours = names.files.contains(name) || (names.drop_ins && is_config_name(name));
    return is_ours && ((mask & kFiles & ~IN_CREATE) != 0 || (mask & IN_ISDIR) != 0 || is_whole(spelling + "/" + name));
  });
}

void FileWatch::take(std::uint64_t now_boot_ns) {
  alignas(inotify_event) char buffer[16 * 1024];
  bool changed = false;
  for (ssize_t got = 0; (got = ::read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (const char* at = buffer; at < buffer + got;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof(event));
      const std::string name(event.len == 0 ? "" : at + sizeof(event));
      changed = counts(event.wd, event.mask, name) || changed;
      at += sizeof(event) + event.len;
    }
  }
  if (!changed) return;
  if (!due_ns_) first_ns_ = now_boot_ns;
  due_ns_ = std::min(now_boot_ns + kQuietNs, first_ns_ + kMostNs);
}

void FileWatch::on_time() {
  due_ns_.reset();
  arm();
}

}  // namespace aa
