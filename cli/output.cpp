// cli/output.cpp: see output.h.
#include "output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/text.h"
#include "base/write_all.h"
#include "client.h"

namespace aa {
namespace {

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool dumb_terminal() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) == "dumb";
}

}  // namespace

Output::Output(int fd, const Globals& globals, OnFailure on_failure)
    : fd_(fd), terminal_(::isatty(fd) == 1), on_failure_(on_failure) {
  winsize size{};
  if (terminal_) style_.width = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  style_.color =
      globals.color == "always" || (globals.color == "auto" && terminal_ && !set("NO_COLOR") && !dumb_terminal());
}

bool Output::write(std::string_view text) {
  if (broken_ || write_all(fd_, text)) return !broken_;
  broken_ = true;
  failed_ = errno != EPIPE;
  if (!failed_) return false;
  const std::string sentence = std::string("the output cannot be written: ") + std::strerror(errno);
  if (on_failure_ == OnFailure::end) throw Failure(kRefused, sentence);
  complain(sentence + "; the rest of it is missing");
  return false;
}

void complain(std::string_view sentence) {
  std::string text;
  for (bool more = true; more;) {
    const std::size_t end = sentence.find('\n');
    text += (text.empty() ? "aactl: " : "") + for_terminal(sentence.substr(0, end)) + '\n';
    more = end != std::string_view::npos;
    if (more) sentence.remove_prefix(end + 1);
  }
  write_all(STDERR_FILENO, text);
}

bool LineReader::fill(int fd) {
  buffer_.erase(0, used_);
  used_ = 0;
  constexpr std::size_t kChunk = 64 * 1024;
  for (std::size_t total = 0; total < 16 * kChunk;) {
    const std::size_t old = buffer_.size();
    buffer_.resize(old + kChunk);
    const ssize_t got = ::read(fd, buffer_.data() + old, kChunk);
    buffer_.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    total += static_cast<std::size_t>(got);
  }
  return true;
}

bool LineReader::next(std::string& line) {
  const std::size_t end = buffer_.find('\n', used_);
  if (end == std::string::npos) return false;
  line.assign(buffer_, used_, end - used_);
  used_ = end + 1;
  return true;
}

}  // namespace aa
