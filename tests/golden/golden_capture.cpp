// The capture format: the session of tests/support/session.h is recorded to the very bytes of session.aacap, and those
// replay to the very lines of session.jsonl. `golden_capture FOLDER` compares; `golden_capture --make FOLDER` writes.
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "source/replay_source.h"
#include "support/session.h"

namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string replayed(const std::string& path) {
  std::string scratch = "/tmp/aa-golden-XXXXXX";
  const int fd = ::mkstemp(scratch.data());
  const aa::Status done = aa::replay_capture(path, fd);
  ::close(fd);
  const std::string lines = read(scratch);
  ::unlink(scratch.c_str());
  return done ? lines : "error: " + done.error().text();
}

bool same(const std::string& what, const std::string& is, const std::string& wanted) {
  if (is == wanted) return true;
  std::cerr << what << " differs; it is now:\n"
            << (what.ends_with("jsonl") ? is : std::to_string(is.size()) + " bytes\n");
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argv[argc - 1];
  const std::string capture = folder + "/session.aacap", lines = folder + "/session.jsonl";
  if (argc == 3) {
    std::ofstream(capture, std::ios::binary) << aa::test::session_capture();
    std::ofstream(lines) << replayed(capture);
    return 0;
  }
  const bool bytes_same = same(capture, aa::test::session_capture(), read(capture));
  const bool lines_same = same(lines, replayed(capture), read(lines));
  return bytes_same && lines_same ? 0 : 1;
}
