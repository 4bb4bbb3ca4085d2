// cli/touched.h: which files a command and all below it used, and with whom they spoke over TLS.
//
// Comes in: the events of one target. Goes out: a few lines for the end of its account. Pure. What is lost is not known
// here: the summary counts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "render.h"

namespace aa {

class Touched {
 public:
  static constexpr std::size_t kShown = 10;           // lines of each kind; the rest is counted
  static constexpr std::size_t kRemembered = 20'000;  // of each kind; what comes after is "or more"

  void add(const nlohmann::json& event);  // others than `file` and `tls` are passed over

  // "" when there was nothing; else lines, with a newline at the end.
  std::string text(const Style& style) const;

 private:
  struct Connection {
    std::string who;  // the program, and the other end
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };

  void add_file(const nlohmann::json& file);
  void add_tls(const nlohmann::json& process, const nlohmann::json& tls);
  void change(std::string file, std::string_view deed);
  std::string files_text() const;
  std::string changed_text(const Style& style) const;
  std::string tls_text(const Style& style) const;

  std::unordered_set<std::string> read_;
  std::vector<std::string> changed_;  // in the order of their first change
  std::unordered_map<std::string, std::vector<std::string_view>> deeds_;
  std::map<std::pair<std::string, std::uint64_t>, Connection> connections_;  // by process and number
};

}  // namespace aa
