// cli/render.cpp: see render.h.
#include "render.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "base/text.h"

namespace aa {
namespace {

using nlohmann::json;

// Tolerant on purpose: the daemon wrote it, and a letter outside the alphabet only shortens what is shown.
std::string from_base64(std::string_view text) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = kLetters.find(c);
    if (value == std::string_view::npos) break;
    held = held << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(held >> (bits -= 8) & 0xff);
  }
  return bytes;
}

std::string with_base64(const json& text, const json& base64) {
  if (base64.is_string()) return from_base64(base64.get_ref<const std::string&>());
  return text.is_string() ? text.get<std::string>() : std::string();
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string printf_text(const char* format, double value) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), format, value);
  return out.data();
}

std::string exec_detail(const json& exec, const Style& style) {
  const std::int64_t result = signed_of(exec, "result");
  if (result == 0) return paint(style, Ink::bold, command_line(exec));
  const std::string reason = std::strerror(static_cast<int>(-result));
  return paint(style, Ink::dim, "failed: " + shell_quote(bytes_of(exec, "filename")) + ": " + reason);
}

std::string exit_detail(const json& body, const Style& style) {
  const std::int64_t status = wait_status(body);
  return paint(style, status_ink(status), status_text(status)) + " after " +
         duration_text(number_of(body, "runtime_ns"));
}

std::string alert_detail(const json& alert, const Style& style) {
  const std::string severity = text_of(alert, "severity");
  const Ink ink = severity == "critical" ? Ink::red : severity == "warning" ? Ink::yellow : Ink::plain;
  return paint(style, ink, for_terminal(severity + ": " + bytes_of(alert, "summary")));
}

std::string file_detail(const json& body, const Style& style) {
  std::string text = text_of(body, "op") + ' ' + shell_quote(bytes_of(body, "path"));
  if (body.contains("path2")) text += " -> " + shell_quote(bytes_of(body, "path2"));
  const std::int64_t result = signed_of(body, "result");
  if (result < 0) text += std::string(": ") + std::strerror(static_cast<int>(-result));
  if (body.contains("bytes")) {
    text += "  " + std::to_string(number_of(body, "bytes")) + " bytes";
    if (const std::uint64_t count = number_of(body, "count"); count > 1)
      text += " in " + std::to_string(count) + " calls";
  }
  if (text_of(body, "verdict") != "deny") return text;
  return paint(style, Ink::red, text + "  denied by " + for_terminal(text_of(body, "rule")));
}

std::string tls_detail(const json& body, const Style& style) {
  const std::string data = text_of(body, "data");
  std::string text = text_of(body, "direction") + ' ' + counted(number_of(body, "length"), "byte", "bytes") +
                     ", connection " + std::to_string(number_of(body, "connection"));
  if (const auto peer = text_of(body, "peer"); !peer.empty()) text += " with " + peer;
  if (const std::uint64_t stream = number_of(body, "stream"); stream != 0) text += ", stream " + std::to_string(stream);
  if (const auto why = text_of(body, "withheld"); !why.empty()) text += ", withheld: " + why;
  if (data.empty() || text_of(body, "encoding") != "text") return for_terminal(text);
  constexpr std::size_t kShown = 100;
  const std::string line = data.substr(0, data.find_first_of("\r\n"));
  return for_terminal(text) + "  " + paint(style, Ink::dim, for_terminal(clip(line, kShown)));
}

std::string target_detail(const json& body) {
  const std::uint64_t adopted = number_of(body, "adopted");
  std::string line = for_terminal(text_of(body, "change"));
  if (adopted > 0) line += ", " + counted(adopted, "descendant", "descendants") + " adopted";
  return line;
}

std::string probe_detail(const json& probe) {
  std::string line = text_of(probe, "program") + " is " + text_of(probe, "state");
  if (const auto reason = text_of(probe, "reason"); !reason.empty()) line += ": " + reason;
  return for_terminal(line);
}

std::string detail(const json& event, const std::string& type, const Style& style) {
  const json& body = member_of(event, type.c_str());
  if (type == "fork") return "started " + std::to_string(number_of(body, "child_pid"));
  if (type == "exec") return exec_detail(body, style);
  if (type == "exit") return exit_detail(body, style);
  if (type == "file") return file_detail(body, style);
  if (type == "tls") return tls_detail(body, style);
  if (type == "alert") return alert_detail(body, style);
  if (type == "loss") return paint(style, Ink::red, loss_text(body));
  if (type == "gap") return paint(style, Ink::red, "not observed: " + for_terminal(text_of(body, "reason")));
  if (type == "target") return target_detail(member_of(event, "target_change"));
  if (type == "probe") return probe_detail(body);
  return for_terminal(body.dump());
}

}  // namespace

const json& member_of(const json& object, const char* member) {
  static const json none;
  if (!object.is_object()) return none;
  const auto it = object.find(member);
  return it == object.end() ? none : *it;
}

std::string paint(const Style& style, Ink ink, std::string_view text) {
  static constexpr std::array<const char*, 6> kCodes = {"", "1", "2", "31", "32", "33"};
  if (!style.color || ink == Ink::plain || text.empty()) return std::string(text);
  return "\x1b[" + std::string(kCodes.at(static_cast<std::size_t>(ink))) + 'm' + std::string(text) + "\x1b[0m";
}

std::string text_of(const json& object, const char* member) {
  const json& value = member_of(object, member);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint64_t number_of(const json& object, const char* member) {
  const json& value = member_of(object, member);
  return value.is_number() ? value.get<std::uint64_t>() : 0;
}

std::int64_t signed_of(const json& object, const char* member) {
  const json& value = member_of(object, member);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}

std::string bytes_of(const json& object, const char* member) {
  return with_base64(member_of(object, member), member_of(object, (std::string(member) + "_base64").c_str()));
}

std::vector<std::string> list_of(const json& object, const char* member) {
  const json& texts = member_of(object, member);
  const json& exact = member_of(object, (std::string(member) + "_base64").c_str());
  std::vector<std::string> list;
  if (!texts.is_array()) return list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    list.push_back(with_base64(texts[i], exact.is_array() && i < exact.size() ? exact[i] : json()));
  }
  return list;
}

std::string shell_quote(std::string_view argument) {
  static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string_view::npos) return std::string(argument);
  std::string text(argument);
  if (for_terminal(text) == text) {
    replace_all(text, "'", "'\\''");
    return '\'' + text + '\'';
  }
  // $'…' takes \xNN, so what is shown can still be pasted into a shell.
  replace_all(text, "\\", "\\\\");
  replace_all(text, "'", "\\'");
  replace_all(text, "\n", "\\n");
  replace_all(text, "\t", "\\t");
  return "$'" + for_terminal(text) + '\'';
}

std::string command_line(const json& object) {
  std::string line;
  for (const std::string& argument : list_of(object, "argv")) line += (line.empty() ? "" : " ") + shell_quote(argument);
  if (member_of(object, "argv_truncated") == true) line += " …";
  if (!line.empty()) return line;
  std::string name = bytes_of(object, "exe");
  if (name.empty()) name = bytes_of(object, "filename");
  if (name.empty()) name = bytes_of(object, "comm");
  return '[' + for_terminal(name) + ']';
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string counted(std::uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

std::string clip(std::string_view text, std::size_t limit) {
  if (columns(text) <= limit) return std::string(text);
  std::size_t at = 0;
  for (std::size_t left = limit > 0 ? limit - 1 : 0; left > 0; --left) {
    do ++at;
    while (at < text.size() && (text[at] & 0xc0) == 0x80);
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string pad(std::string_view text, std::size_t limit) {
  const std::size_t used = columns(text);
  return std::string(text) + std::string(used < limit ? limit - used : 0, ' ');
}

std::string duration_text(std::uint64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  if (ms < 9.95) return printf_text("%.1f ms", ms);
  if (ms < 999.5) return printf_text("%.0f ms", ms);
  if (ms < 59'950) return printf_text("%.1f s", ms / 1e3);
  const std::uint64_t seconds = (ns + 500'000'000) / 1'000'000'000;
  if (seconds < 3600) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return counted(bytes, "byte", "bytes");
  auto size = static_cast<double>(bytes) / 1e3;
  std::string_view unit = "kB";
  for (const std::string_view larger : {"MB", "GB"}) {
    if (size < 999.5) break;
    size /= 1e3;
    unit = larger;
  }
  return printf_text(size < 9.95 ? "%.1f " : "%.0f ", size) + std::string(unit);
}

std::string status_text(std::int64_t status) {
  if (status == 0) return "ok";
  if (status < 0) return status == -1 ? "running" : "exit not seen";
  const int signal = static_cast<int>(status & 0x7f);
  if (signal == 0) return "exit " + std::to_string(status >> 8 & 0xff);
  const char* name = sigabbrev_np(signal);
  std::string text = "killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal));
  if ((status & 0x80) != 0) text += " (core dumped)";
  return text;
}

Ink status_ink(std::int64_t status) {
  if (status < 0) return Ink::yellow;
  return status == 0 ? Ink::green : Ink::red;
}

std::int64_t wait_status(const json& exit_body) {
  const bool core = member_of(exit_body, "core_dumped") == true;
  return signed_of(exit_body, "code") << 8 | signed_of(exit_body, "signal") | (core ? 0x80 : 0);
}

std::string loss_text(const json& loss) {
  const std::string count = counted(number_of(loss, "count"), "event", "events") + " lost: ";
  const std::string family = text_of(loss, "family");
  if (family == "subscriber") return count + "they were not read fast enough";
  return count + for_terminal(text_of(loss, "cause") + " (" + family + ')');
}

std::string event_line(const json& event, const Style& style) {
  const std::string time = text_of(event, "time");  // 2026-11-22T13:00:01.123456789Z
  const std::string clock = time.size() >= 23 ? time.substr(11, 12) : time;
  const json& process = member_of(event, "process");
  const std::string pid = process.is_object() ? std::to_string(number_of(process, "pid")) : "-";
  const std::string name = bytes_of(member_of(event, "target"), "name");
  const std::string type = text_of(event, "type");
  const std::string head = for_terminal(clock) + "  " + pad(clip(for_terminal(name.empty() ? "-" : name), 14), 14);
  const std::string middle = ' ' + pad(pid, 8) + pad(for_terminal(type), 7);
  std::string tail = detail(event, type, {false, 0});
  const std::size_t used = columns(head) + columns(middle);
  const bool fits = style.width == 0 || used + columns(tail) <= static_cast<std::size_t>(style.width);
  if (fits) {
    tail = detail(event, type, style);
  } else {
    tail =
        clip(tail, static_cast<std::size_t>(style.width) > used + 1 ? static_cast<std::size_t>(style.width) - used : 1);
  }
  return paint(style, Ink::dim, head) + middle + tail;
}

std::string table(const std::vector<std::vector<std::string>>& rows, const Style& style) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 == row.size() ? row[i] : pad(row[i], widths[i] + 2);
    }
    text += paint(style, &row == &rows.front() ? Ink::dim : Ink::plain, line) + '\n';
  }
  return text;
}

}  // namespace aa
