#include "touched.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace aa {
namespace {

using nlohmann::json;

// What an operation does to the file that it names first, and what to the second.
struct Deed {
  std::string_view op, first, second;
};
constexpr std::array kDeeds = {
    Deed{"create", "made", ""},  Deed{"write", "written", ""},      Deed{"mkdir", "made", ""},
    Deed{"mknod", "made", ""},   Deed{"unlink", "removed", ""},     Deed{"rmdir", "removed", ""},
    Deed{"truncate", "cut", ""}, Deed{"chmod", "mode changed", ""}, Deed{"chown", "owner changed", ""},
    Deed{"link", "", "linked"},  Deed{"symlink", "", "made"},
};

bool has(const json& body, const char* member, const char* flag) {
  const json& flags = member_of(body, member);
  return flags.is_array() && std::ranges::find(flags, json(flag)) != flags.end();
}

// What every program writes to, and nobody looks for.
bool is_everyones(const std::string& path) {
  return path == "/dev/null" || path == "/dev/tty" || path == "/dev/ptmx" || path.starts_with("/dev/pts/");
}

std::string remembered(std::size_t count, const std::string& one, const std::string& many) {
  return count < Touched::kRemembered ? counted(count, one, many) : counted(count, "or more " + one, "or more " + many);
}

std::string listed(const Style& style, const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), Touched::kShown); ++i) {
    const std::string line = "  " + lines[i];
    text += (style.width > 0 ? clip(line, static_cast<std::size_t>(style.width)) : line) + '\n';
  }
  if (lines.size() > Touched::kShown) text += "  and " + std::to_string(lines.size() - Touched::kShown) + " more\n";
  return text;
}

}  // namespace

void Touched::add(const json& event) {
  const std::string type = text_of(event, "type");
  if (type == "file") add_file(member_of(event, "file"));
  if (type == "tls") add_tls(member_of(event, "process"), member_of(event, "tls"));
}

void Touched::add_file(const json& file) {
  if (signed_of(file, "result") < 0 || has(file, "flags_path", "detached")) return;
  const std::string op = text_of(file, "op");
  const std::string path = bytes_of(file, "path");
  if (is_everyones(path)) return;
  if (op == "read" && read_.size() < kRemembered) read_.insert(path);
  if (op == "open" && has(file, "flags", "O_TRUNC")) change(shell_quote(path), "emptied");
  if (op == "rename") change(shell_quote(path) + " → " + shell_quote(bytes_of(file, "path2")), "moved");
  const auto deed = std::ranges::find(kDeeds, op, &Deed::op);
  if (deed == kDeeds.end()) return;
  if (!deed->first.empty()) change(shell_quote(path), deed->first);
  if (!deed->second.empty()) change(shell_quote(bytes_of(file, "path2")), deed->second);
}

void Touched::change(std::string file, std::string_view deed) {
  const auto known = deeds_.find(file);
  if (known == deeds_.end()) {
    if (changed_.size() == kRemembered) return;
    deeds_[file] = {deed};
    changed_.push_back(std::move(file));
  } else if (std::ranges::find(known->second, deed) == known->second.end()) {
    known->second.push_back(deed);
  }
}

void Touched::add_tls(const json& process, const json& tls) {
  const std::pair key{text_of(process, "id"), number_of(tls, "connection")};
  if (connections_.size() == kRemembered && connections_.count(key) == 0) return;
  Connection& connection = connections_[key];
  const std::string peer = text_of(tls, "peer");
  if (connection.who.empty() || !peer.empty()) {
    const std::string program(last_component(bytes_of(process, process.contains("exe") ? "exe" : "comm")));
    connection.who = for_terminal(program + " with " + (peer.empty() ? "somebody unknown" : peer));
  }
  (text_of(tls, "direction") == "send" ? connection.sent : connection.received) += number_of(tls, "length");
}

std::string Touched::text(const Style& style) const {
  return files_text() + changed_text(style) + tls_text(style);
}

std::string Touched::files_text() const {
  if (read_.empty() && changed_.empty()) return "";
  return remembered(read_.size(), "file", "files") + " read, " + remembered(changed_.size(), "changed", "changed") +
         (changed_.empty() ? "\n" : ":\n");
}

std::string Touched::changed_text(const Style& style) const {
  std::vector<std::string> lines(changed_);
  for (std::string& line : lines) {
    const char* before = "  ";
    for (const std::string_view deed : deeds_.at(line)) {
      line.append(before).append(deed);
      before = ", ";
    }
  }
  return listed(style, lines);
}

std::string Touched::tls_text(const Style& style) const {
  if (connections_.empty()) return "";
  std::map<std::string, Connection> peers;
  for (const auto& [key, connection] : connections_) {
    Connection& peer = peers[connection.who];
    peer.sent += connection.sent;
    peer.received += connection.received;
  }
  std::vector<std::string> lines;
  lines.reserve(peers.size());
  for (const auto& [who, all] : peers)
    lines.push_back(who + "  " + size_text(all.sent) + " sent, " + size_text(all.received) + " received");
  return remembered(connections_.size(), "connection over TLS:", "connections over TLS:") + '\n' + listed(style, lines);
}

}  // namespace aa
