// cli/render.h: facts made readable.
//
// Comes in: the JSON of events and processes (docs/events.md), as values. Goes out: text for people, in which no byte
// that a watched program chose reaches a terminal raw. Pure: knows no bus, no file, no terminal but its width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace aa {

struct Style {
  bool color = false;
  int width = 0;  // columns of the terminal; 0: not a terminal, nothing is cut
};

enum class Ink { plain, bold, dim, red, green, yellow };
std::string paint(const Style& style, Ink ink, std::string_view text);

// Members of a JSON object: null, "" or 0 where they are missing or of another type.
const nlohmann::json& member_of(const nlohmann::json& object, const char* member);
std::string text_of(const nlohmann::json& object, const char* member);
std::uint64_t number_of(const nlohmann::json& object, const char* member);
std::int64_t signed_of(const nlohmann::json& object, const char* member);
// The exact bytes of a text or of each text of an array: `<member>_base64` where the text itself could not hold them.
std::string bytes_of(const nlohmann::json& object, const char* member);
std::vector<std::string> list_of(const nlohmann::json& object, const char* member);

// One argument as a shell would take it, on one line and safe to show: 'it is', $'two\nlines'.
std::string shell_quote(std::string_view argument);

// argv of `object` joined and quoted, " …" when it was cut; without argv its exe or comm in brackets: "[bash]".
std::string command_line(const nlohmann::json& object);

std::size_t columns(std::string_view text);                    // code points: close enough to align by
std::string clip(std::string_view text, std::size_t columns);  // ends in … when something was cut
std::string pad(std::string_view text, std::size_t columns);   // with spaces on the right

std::string counted(std::uint64_t count, const std::string& one, const std::string& many);  // "1 file" "3 files"
std::string duration_text(std::uint64_t ns);   // "0.4 ms" "34 ms" "1.2 s" "2 min 3 s" "1 h 2 min"
std::string size_text(std::uint64_t bytes);    // "1 byte" "80 bytes" "5.2 kB" "34 MB" "1.2 GB"
std::string status_text(std::int64_t status);  // wait status → "ok" "exit 3" "killed by SIGSEGV (core dumped)"
Ink status_ink(std::int64_t status);
std::int64_t wait_status(const nlohmann::json& exit_body);  // {code, signal, core_dumped} → code << 8 | signal | 0x80

// "12 events lost: ring-full (exec)".
std::string loss_text(const nlohmann::json& loss);

// One event as one line (no newline): time, pid, target, type, and what happened.
std::string event_line(const nlohmann::json& event, const Style& style);

// Rows in columns; the first row is the heading. Ends with a newline.
std::string table(const std::vector<std::vector<std::string>>& rows, const Style& style);

}  // namespace aa
