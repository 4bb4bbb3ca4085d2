// cli/output.h: where text goes.
//
// Comes in: a descriptor and the user's wish about colours. Goes out: whole lines, written at once. Knows the terminal.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "render.h"

namespace aa {

// Options every verb has.
struct Globals {
  std::string bus;  // address; "" the system bus
  bool json = false;
  std::string color = "auto";  // "auto" "always" "never"
};

class Output {
 public:
  // What to do when the text cannot be written (disk full): end the verb with a Failure, or say so once and go on.
  enum class OnFailure { end, complain };

  // Writes to `fd`, which stays the caller's. Colours: as asked; "auto" means on a terminal, unless NO_COLOR is set.
  Output(int fd, const Globals& globals, OnFailure on_failure = OnFailure::end);

  const Style& style() const { return style_; }
  bool terminal() const { return terminal_; }

  // False when nobody takes it any more; everything after that is discarded. A reader that has gone has seen enough;
  // anything else is a failure.
  bool write(std::string_view text);
  bool failed() const { return failed_; }

 private:
  int fd_;
  bool terminal_;
  OnFailure on_failure_;
  bool broken_ = false;
  bool failed_ = false;
  Style style_;
};

// "aactl: <sentence>" on stderr, safe for terminals, on one line.
void complain(std::string_view sentence);

// Lines out of a stream of bytes.
class LineReader {
 public:
  // Reads what is there now, at most 1 MiB. False at the end of the stream or on an error.
  bool fill(int fd);
  // The next whole line without its newline; false when there is none.
  bool next(std::string& line);

 private:
  std::string buffer_;
  std::size_t used_ = 0;
};

}  // namespace aa
