#include "config/patient_read.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <system_error>
#include <utility>

#include "base/quiet_thread.h"
#include "base/text.h"
#include "config/read_file.h"

namespace aa {
namespace {

constexpr std::size_t kMostSilent = 3;     // folders, of one object
constexpr unsigned kMostThreads = 16;      // of all objects together, most of them left behind
std::atomic<unsigned> threads_running{0};  // they outlive whoever started them

}  // namespace

Result<std::string> PatientRead::read(const std::string& path, std::size_t most_bytes) {
  return answer(path, [path, most_bytes] { return read_file(path, most_bytes); });
}

Result<std::string> PatientRead::end_of_links(const std::string& path) {
  return answer(path, [path]() -> Result<std::string> {
    std::error_code error;
    std::string end = std::filesystem::canonical(path, error);
    if (error) return Error{"follow " + path, error.value(), {}};
    return end;
  });
}

Result<std::string> PatientRead::answer(const std::string& path, std::function<Result<std::string>()> ask) try {
  const std::string folder = folder_of(path);
  const Error silent{
      "does not answer: its file system has said nothing for " + std::to_string(patience_.count()) + " ms", 0, {}};
  if (std::find(silent_.begin(), silent_.end(), folder) != silent_.end()) return silent;
  if (silent_.size() == kMostSilent || threads_running >= kMostThreads)
    return Error{"is not read: too many other files do not answer", 0, {}};
  std::packaged_task<Result<std::string>()> task(std::move(ask));
  std::future<Result<std::string>> text = task.get_future();
  ++threads_running;
  quiet_thread([task = std::move(task)]() mutable {
    task();
    --threads_running;
  }).detach();
  if (text.wait_for(patience_) == std::future_status::ready) return text.get();
  silent_.push_back(folder);
  return silent;
} catch (const std::system_error& error) {
  --threads_running;
  return Error{"cannot be read: no room for a thread", error.code().value(), {}};
}

}  // namespace aa
