// cli/past.cpp: `--since`: what a time means, and the lines of the daemon's own file from then on.
#include "past.h"

#include <time.h>

#include <charconv>
#include <cstdio>

namespace aa {
namespace {

std::string rfc3339(std::int64_t seconds) {
  const time_t time = seconds;
  tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return std::string(text) + ".000000000Z";
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::int64_t unit_seconds(char unit) {
  return unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86'400 : 0;
}

}  // namespace

std::string since_text(const std::string& since, std::int64_t now_seconds) {
  constexpr std::int64_t kMax = 4'000'000'000;
  if (since.starts_with("@")) {
    const auto at = number(std::string_view(since).substr(1));
    return at && *at <= kMax ? rfc3339(*at) : "";
  }
  if (since.size() > 1 && unit_seconds(since.back()) != 0) {
    const auto count = number(std::string_view(since).substr(0, since.size() - 1));
    if (count && *count <= kMax / unit_seconds(since.back()))
      return rfc3339(std::max<std::int64_t>(0, now_seconds - *count * unit_seconds(since.back())));
  }
  for (const char* form :
       {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    tm parts{};
    parts.tm_isdst = -1;
    const char* end = ::strptime(since.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    return rfc3339(since.back() == 'Z' ? ::timegm(&parts) : ::mktime(&parts));
  }
  return "";
}

namespace {

constexpr std::string_view kTime = "\"time\":\"";

}  // namespace

bool PastFilter::is_older(const std::string& line) const {
  const std::size_t at = line.find(kTime);
  return at != std::string::npos && line.compare(at + kTime.size(), from.size(), from) < 0;
}

bool PastFilter::wants(const std::string& line) const {
  if (line.find(kTime) == std::string::npos || is_older(line)) return false;
  if (filter.types.empty() && filter.target.empty() && filter.severity.empty()) return true;
  const auto event = nlohmann::json::parse(line, nullptr, false);
  if (!event.is_object()) return false;
  const std::string type = text_of(event, "type");
  if (!filter.types.empty() && std::find(filter.types.begin(), filter.types.end(), type) == filter.types.end())
    return false;
  const auto& target = member_of(event, "target");
  if (!filter.target.empty() && text_of(target, "id") != filter.target && text_of(target, "name") != filter.target)
    return false;
  const auto rank = [](const std::string& name) { return name == "critical" ? 2 : name == "warning" ? 1 : 0; };
  return type != "alert" || filter.severity.empty() ||
         rank(text_of(member_of(event, "alert"), "severity")) >= rank(filter.severity);
}

}  // namespace aa
