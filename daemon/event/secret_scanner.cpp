#include "event/secret_scanner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace aa {
namespace {

constexpr std::size_t kLookBack = 128;
constexpr std::string_view kUnknown = "unknown";
constexpr SecretRule kUnnamed{.kind = kUnknown, .begin = "", .shape = SecretShape::field};
constexpr std::string_view kBeforeSeparator = "\"' \\\r\n\t";
constexpr std::string_view kBeforeEscaped = "\"'\\[]";
constexpr std::string_view kInName = "-.[]";
constexpr std::size_t kMostJoined = 80;  // bytes before a known name that are looked at
constexpr std::string_view kPartName = "name=\"";
constexpr std::size_t kWholeLine = 60;            // base64 goes on in the next line when this one is as long
constexpr std::string_view kMessage = "HTTP/1.";  // begins an answer, and ends a request's first line
constexpr std::size_t kKeyLine = 24;              // letters in a row tell a private key
constexpr std::size_t kMostBeforeKey = 192;       // bytes before the first such
constexpr std::size_t kMostBeside = 1024;         // and behind each
constexpr std::size_t kMostInThree = 4096;        // bytes in three quotes
constexpr std::uint8_t kDashes = 5;               // end it
constexpr std::size_t kLongName = 20;             // a user name as long as this is a token

ByteClass all_but(std::string_view ends) {
  ByteClass bytes;
  bytes.set();
  for (const char character : ends) bytes.reset(static_cast<unsigned char>(character));
  for (unsigned byte = 0; byte <= ' '; ++byte) bytes.reset(byte);
  return bytes;
}
const ByteClass kUserinfo = all_but("/?#@\"'`<>\\|;&(){}^");
const ByteClass kPassword = all_but("/\"'`<>\\");
const ByteClass kPasswordInScript = all_but("/\"'`<>\\|;&(){}");
const ByteClass kInWord = all_but("\"'`<>\\|;&(){}[],");
const ByteClass kUnquoted = all_but("\"'`<>\\");
const ByteClass kRest = [] {  // what a secret's further lines are made of, also as JSON writes their ends
  ByteClass bytes;
  for (unsigned byte = 0; byte < 128; ++byte)
    bytes[byte] = base64_value(static_cast<unsigned char>(byte)) && byte != '-' && byte != '_';
  for (const char character : std::string_view("=\r\n\\")) bytes.set(static_cast<unsigned char>(character));
  return bytes;
}();

bool is_word_byte(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || is_digit(character) ||
         character == '_';
}

// What keys are made of, of whatever kind.
const ByteClass& any_key() {
  static const ByteClass bytes = [] {
    ByteClass all;
    for (const SecretRule& rule : secret_rules())
      if (rule.shape == SecretShape::token) all |= *rule.bytes;
    return all;
  }();
  return bytes;
}

bool is_line_end(unsigned char character) {
  return character == '\n' || character == '\r';
}

bool is_blank(unsigned char character) {
  return character == ' ' || character == '\t';
}

// Before a string of Python's, C++'s or Rust's: f"", b'', rb"". Of C#'s, and of a shell's: @"", $''.
bool is_string_prefix(unsigned char byte) {
  return std::string_view("fbruFBRU@$").find(static_cast<char>(byte)) != std::string_view::npos;
}
constexpr std::size_t kLongestPrefix = 2;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// "|", ">-", "|2+": lines below it are the value.
bool begins_block(std::string_view text) {
  return (text.starts_with('|') || text.starts_with('>')) &&
         text.find_first_not_of("+-0123456789", 1) == std::string_view::npos;
}

// What stands behind a '%' in URLs; nullopt: that is no escape.
std::optional<unsigned char> unescaped(const std::string& digits) {
  if (!is_hex(digits)) return std::nullopt;
  return static_cast<unsigned char>(std::stoi(digits, nullptr, 16));
}
constexpr std::size_t kDigits = 2;

// "ESC[32m", as terminals have it, and as text has that.
bool ends_in_colour(std::string_view text) {
  if (!text.ends_with('m')) return false;
  text.remove_suffix(1);
  const std::size_t bracket = text.find_last_not_of("0123456789;");
  if (bracket == std::string_view::npos || text[bracket] != '[') return false;
  const std::string_view before = text.substr(0, bracket);
  constexpr std::array<std::string_view, 6> kEscapes = {"\x1B", "\\u001b", "\\u001B", "\\x1b", "\\x1B", "\\033"};
  return std::any_of(kEscapes.begin(), kEscapes.end(),
                     [&](std::string_view escape) { return before.ends_with(escape); });
}

// A quote behind what comes before a string of JSON, however deep that is quoted itself.
bool is_before_string(std::string_view text) {
  const std::size_t before = text.find_last_not_of("\\ \t", text.size() - 2);
  return text.size() > 1 && before != std::string_view::npos &&
         std::string_view(":,[(").find(text[before]) != std::string_view::npos;
}

// Lines between a private key's first and its letters.
bool names_key_line(std::string_view text) {
  constexpr std::array<std::string_view, 6> kNames = {"Proc-Type", "Version", "Comment",
                                                      "Hash",      "Charset", "MessageID"};
  return std::any_of(kNames.begin(), kNames.end(), [text](std::string_view name) { return text.ends_with(name); });
}

// Without those at its end; JSON has tabs as "\t".
std::string_view without_blanks(std::string_view text) {
  while ((!text.empty() && is_blank(text.back())) || text.ends_with("\\t")) {
    text.remove_suffix(1);
    while (text.ends_with('\\')) text.remove_suffix(1);
  }
  return text;
}

// What agents' tools have before each line of a file: "    12→", or with a tab. `all`: the same, but for its blanks.
constexpr std::string_view kArrow = "\u2192";
constexpr std::string_view kEscapedArrow = "u2192";
bool ends_in_arrow(std::string_view text) {
  if (text.ends_with(kArrow)) return true;
  return text.size() > kEscapedArrow.size() && text.ends_with(kEscapedArrow) &&
         text[text.size() - kEscapedArrow.size() - 1] == '\\';
}
std::string_view without_number(std::string_view text, std::string_view all) {
  const std::string_view blanks = all.substr(text.size());
  std::string_view number = text;
  if (ends_in_arrow(text)) {
    number.remove_suffix(text.ends_with(kArrow) ? kArrow.size() : kEscapedArrow.size());
    while (number.ends_with('\\')) number.remove_suffix(1);
  } else if (!blanks.starts_with('\t') && !blanks.starts_with('\\')) {
    return text;
  }
  if (number.empty() || !is_digit(number.back())) return text;
  while (!number.empty() && is_digit(number.back())) number.remove_suffix(1);
  return without_blanks(number);
}

// As JSON, programs, URLs and terminals have bytes: "\n", "\u0020", "\x20", "%20", "ESC[32m". JSON within JSON has more
// backslashes.
bool ends_in_escape(std::string_view text) {
  const auto last = [text](std::size_t count) { return text.substr(text.size() - std::min(text.size(), count)); };
  const std::string_view one = last(2), percent = last(3), hex = last(4), unicode = last(6);
  if (one.size() == 2 && one[0] == '\\') return std::string_view("nrtbf").find(one[1]) != std::string_view::npos;
  if (percent.size() == 3 && percent[0] == '%') return is_hex(percent.substr(1));
  if (hex.starts_with("\\x") && is_hex(hex.substr(2))) return true;
  if (ends_in_colour(text)) return true;
  return unicode.size() == 6 && unicode.starts_with("\\u") && is_hex(unicode.substr(2));
}

}  // namespace

// Most bytes change nothing.
void JsonLine::take(std::string_view bytes) {
  const auto changes = [](unsigned char byte) {
    return byte <= '\\' && (byte == '"' || byte == '\\' || is_line_end(byte));
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const bool may_skip = part_ == Part::other || (in_string_ && !is_escaped_);
    while (may_skip && at < bytes.size() && !changes(static_cast<unsigned char>(bytes[at]))) ++at;
    if (at < bytes.size()) step(bytes[at]);
  }
}

void JsonLine::step(char byte) {
  constexpr std::string_view kData = "data:", kBetweenStrings = "\" \t,:{}[]0123456789.+-eEtrufalsn";
  if (is_line_end(static_cast<unsigned char>(byte))) {
    *this = {};
  } else if (part_ == Part::before) {
    const bool is_data = data_ < kData.size() && byte == kData[data_];
    data_ += is_data ? 1 : 0;
    bracket_ = byte;
    if (!is_data && !is_blank(static_cast<unsigned char>(byte)))
      part_ = byte == '{' || byte == '[' ? Part::bracket : Part::other;
  } else if (part_ == Part::bracket) {
    in_string_ = byte == '"';
    const bool is_list = std::exchange(bracket_, byte) == '[';
    if (!is_list || byte != '{') part_ = in_string_ ? Part::inside : Part::other;
  } else if (part_ == Part::inside) {
    if (!in_string_ && kBetweenStrings.find(byte) == std::string_view::npos) part_ = Part::other;
    if (byte == '"' && !is_escaped_) in_string_ = !in_string_;
    is_escaped_ = in_string_ && byte == '\\' && !is_escaped_;
  }
}

// ---- in and out ----

SecretScanner::Shown SecretScanner::take(std::string_view bytes) {
  buffer_.append(bytes);
  run();
  return show();
}

SecretScanner::Shown SecretScanner::flush() {
  settle();
  return show();
}

SecretScanner::Shown SecretScanner::miss(std::uint64_t bytes) {
  settle();
  if (mode_ == Mode::prefix) leave_prefix();
  if (mode_ == Mode::opening) enter_pem();  // what a key is told by may be what was missed
  Shown shown = show();
  offset_ += buffer_.size() + bytes;
  buffer_.clear();
  shown_ = at_ = outer_at_ = 0;
  outer_.miss();
  is_in_string_ = false;
  continuation_ = 0;
  if (mode_ == Mode::block) {  // it goes on to its line's end, or its string's
    end_ = slashes_ == 0 ? End::line : End::blank;
    mode_ = Mode::value;
  }
  state_ = 0;  // no name goes on behind what was missed, nor a row of quotes, dashes or backslashes
  joined_ = dashes_ = 0;
  backslashes_ = 0;
  const bool is_long = mode_ == Mode::pem || mode_ == Mode::binary || mode_ == Mode::three;
  const bool is_known = mode_ == Mode::value && kind_ != kUnknown && !ends_at_blank();
  if (!is_long && !is_known) enter_unknown();
  since_ = 0;
  is_list_ = false;  // nor where it ended
  line_end_ = 0;     // whether its next line is indented was not seen
  is_unsure_ = may_open_ = true;
  is_between_ = false;
  return shown;
}

// What comes may be the rest of any secret.
void SecretScanner::enter_unknown() {
  kind_ = kUnknown;
  resumes_ = false;
  quote_ = '"';
  has_escapes_ = false;
  is_in_string_ = false;
  depth_ = 0;
  is_list_ = false;
  enter_value(End::quote);
  is_unsure_ = may_open_ = true;
  state_ = 0;
}

// What was missed may have ended in a member's name, or a form's part's, or what it ended in was one: then the next
// value is hidden, too.
void SecretScanner::leave_unknown() {
  const std::string_view held = std::string_view(buffer_).substr(since_, at_ - since_);
  const bool is_separator =
      !held.empty() && held.size() < kLookBack && held.find_first_not_of(":= \t\\") == std::string_view::npos;
  if (is_separator) return begin_unnamed();  // the quote before it ended a name, this one begins the value
  ++at_;
  rule_ = &kUnnamed;
  since_ = at_;
  since_state_ = 0;
  begin_name();
  quote_ = 0;
  is_member_ = true;
  named_in_quotes_ = false;
  is_part_ = true;
  is_escaped_line_ = false;
  begins_line_ = false;
  end_without_quote_ = End::word;
}

// In what may be a secret's rest a quote that comes first, or behind a separator, rather begins a value than that it
// ends one: behind a separator or a bracket it does, and so do those behind it in the list.
bool SecretScanner::is_begun_by(unsigned char byte) {
  if (static_cast<char>(byte) == quote_ && (may_open_ || is_between_)) {
    if (is_between_)
      begin_unnamed();
    else
      open_quote(at_++);
    may_open_ = false;
    backslashes_ = 0;
    return true;
  }
  const bool is_before_quote = is_blank(byte) || byte == '\\' || is_string_prefix(byte);
  is_list_ = (may_open_ || is_between_) && (byte == '[' || (is_list_ && is_before_quote));
  is_between_ = byte == ':' || byte == '=' || is_list_ || (is_between_ && is_before_quote);
  may_open_ = may_open_ && is_before_quote;
  return false;
}

void SecretScanner::begin_unnamed() {
  open_quote(at_++);
  kind_ = kUnknown;
  rule_ = &kUnnamed;
  is_member_ = true;
  begin_value(End::quote);
}

// The name of a field, in what may be the rest of a secret: its value is hidden too. When it is none, or its end is not
// certain, the rest goes on.
bool SecretScanner::finds_field() {
  if (!automaton_->ends_in(state_)) return false;
  for (const std::uint16_t index : automaton_->ending_in(state_)) {
    const SecretRule& rule = secret_rules()[index];
    ++at_;
    const bool is_field = rule.shape == SecretShape::field && fits(rule);
    --at_;
    if (!is_field) continue;
    hide(kind_, at_, at_ + 1);
    ++at_;
    resumes_ = true;
    found(rule);
    return true;
  }
  return false;
}

void SecretScanner::run() {
  while (at_ < buffer_.size()) {
    const auto byte = static_cast<unsigned char>(buffer_[at_]);
    if (in_rest_) judge_rest(byte);
    switch (mode_) {
      case Mode::text:
        in_text(byte);
        break;
      case Mode::candidate:
        in_candidate(byte);
        break;
      case Mode::userinfo:
        in_userinfo(byte);
        break;
      case Mode::name:
        in_name(byte);
        break;
      case Mode::percent:
        in_percent(byte);
        break;
      case Mode::prefix:
        in_prefix(byte);
        break;
      case Mode::common:
        in_common(byte);
        break;
      case Mode::value:
        in_value(byte);
        break;
      case Mode::closed:
        in_closed(byte);
        break;
      case Mode::three:
        in_three(byte);
        break;
      case Mode::block:
        in_block(byte);
        break;
      case Mode::list:
        in_list(byte);
        break;
      case Mode::secret:
        in_secret(byte);
        break;
      case Mode::opening:
        in_opening(byte);
        break;
      case Mode::pem:
        in_pem(byte);
        break;
      case Mode::binary:
        in_binary(byte);
        break;
    }
  }
}

// The first byte that is none of a secret's further lines ends them. A line that is indented may be a header's, or
// YAML's.
void SecretScanner::judge_rest(unsigned char byte) {
  if (is_undecided()) return;
  if (kRest.test(byte)) {
    if (mode_ == Mode::text) hide(kUnknown, at_, at_ + 1);
    return;
  }
  const char before = at_ > 0 ? buffer_[at_ - 1] : '\0';
  in_rest_ = false;
  if (mode_ == Mode::text && is_blank(byte) && is_line_end(before)) enter_unknown();
}

void SecretScanner::settle() {
  while (mode_ == Mode::userinfo) {
    const bool is_shown = is_whole() && (colon_ == 0 || last_at_ != 0 || is_port(at_));
    if (!is_shown) return enter_secret(rule_->kind, kPassword, is_short_name() ? colon_ : since_);
    end_userinfo();
    run();
  }
  if (mode_ == Mode::candidate)
    return enter_secret(rule_->kind, may_begin_longer() ? any_key() : *rule_->bytes, since_);
  if (mode_ == Mode::prefix && is_whole()) {
    leave_prefix();
    run();
  }
  if (mode_ == Mode::percent) since_ = at_;
  if (mode_ == Mode::opening && is_spoken_of_) return settle_opening();
  if (mode_ != Mode::common && mode_ != Mode::opening && mode_ != Mode::prefix) return;
  hide(kind_, since_, at_);
  is_begun_ = is_begun_ || at_ > since_;
  since_ = at_;
  since_state_ = 0;
  if (mode_ == Mode::common) enter_inside();
}

// What is around a private key's first line is looked through as text, but for letters that may be the key's first.
// Unless something else begins in it, the key may yet come.
void SecretScanner::settle_opening() {
  const SecretRule& rule = *rule_;
  const auto counted = std::tuple(in_line_, capitals_, digits_, dashes_, left_);
  give_up();
  run();
  if (mode_ != Mode::text) return settle();
  found(rule);
  tried_ = automaton_->ending_in(state_).size();
  std::tie(in_line_, capitals_, digits_, dashes_, left_) = counted;
  is_spoken_of_ = true;
  hide(kind_, at_ - std::min(at_, in_line_), at_);
}

// Whether another rule's beginning may go on where this one's ended: "sk-an" is one of "sk-" and may be of "sk-ant-".
bool SecretScanner::may_begin_longer() const {
  const std::string_view seen = std::string_view(buffer_).substr(since_ - std::min(since_, rule_->begin.size()));
  return std::ranges::any_of(secret_rules(), [seen](const SecretRule& rule) {
    return rule.begin.size() > seen.size() && rule.begin.starts_with(seen);
  });
}

SecretScanner::Shown SecretScanner::show() {
  const std::size_t end = is_undecided() ? since_ : at_;
  Shown out{buffer_.substr(shown_, end - shown_), {}};
  for (Redaction& hidden : hidden_) {
    const std::size_t from = hidden.offset - offset_;
    std::fill_n(out.bytes.begin() + static_cast<std::ptrdiff_t>(from - shown_), hidden.length, '*');
  }
  out.redactions = std::move(hidden_);
  hidden_.clear();
  shown_ = end;
  const std::size_t past = end > kLookBack ? end - kLookBack : 0;
  follow_outer(past);
  outer_at_ -= past;
  buffer_.erase(0, past);
  offset_ += past;
  shown_ -= past;
  at_ -= past;
  since_ -= std::min(since_, past);
  colon_ -= std::min(colon_, past);
  last_at_ -= std::min(last_at_, past);
  return out;
}

// What was shown stays so, and nothing is hidden twice: whoever goes back, goes no further than what is held.
void SecretScanner::hide(std::string_view kind, std::size_t from, std::size_t to) {
  from = std::max(from, shown_);
  if (!hidden_.empty()) from = std::max<std::size_t>(from, hidden_.back().offset + hidden_.back().length - offset_);
  if (from >= to) return;
  const std::uint64_t offset = offset_ + from;
  if (!hidden_.empty() && hidden_.back().kind == kind && hidden_.back().offset + hidden_.back().length == offset)
    hidden_.back().length += to - from;
  else
    hidden_.push_back({kind, offset, to - from});
}

// ---- text ----

bool SecretScanner::is_text(unsigned char byte) {
  if (continuation_ > 0) {
    --continuation_;
    return (byte & 0xC0) == 0x80;
  }
  if (byte < 0x80) return (byte >= 0x20 && byte != 0x7F) || (byte >= '\a' && byte <= '\r') || byte == 0x1B;
  if (byte < 0xC2 || byte > 0xF4) return false;
  continuation_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  return true;
}

void SecretScanner::in_text(unsigned char byte) {
  const bool must_be_text = text_ == SecretText::stream || text_ == SecretText::body;
  if (must_be_text && !is_text(byte)) return enter_binary();
  state_ = automaton_->step(state_, byte);
  ++at_;
  if (automaton_->ends_in(state_)) try_rules(0);
}

// Those whose beginning ends here, from some one on.
void SecretScanner::try_rules(std::size_t from) {
  const auto ending = automaton_->ending_in(state_);
  for (tried_ = from; tried_ < ending.size(); ++tried_) {
    const SecretRule& rule = secret_rules()[ending[tried_]];
    if (fits(rule)) return found(rule);
  }
}

bool SecretScanner::fits(const SecretRule& rule) const {
  const std::size_t begin = at_ - std::min(at_, rule.begin.size());
  if (!rule.any_case && buffer_.compare(begin, rule.begin.size(), rule.begin) != 0) return false;
  if (rule.whole_word && !begins_word(begin)) return false;
  if (rule.digits_before && !has_digits_before(begin)) return false;
  return rule.shape != SecretShape::pem || begins_pem(begin);
}

bool SecretScanner::begins_word(std::size_t at) const {
  return at == 0 || !is_word_byte(buffer_[at - 1]) || ends_in_escape(std::string_view(buffer_).substr(0, at));
}

bool SecretScanner::has_digits_before(std::size_t begin) const {
  for (std::size_t count = 1; count <= begin && count <= 10 && is_digit(buffer_[begin - count]); ++count) {
    const std::size_t first = begin - count;
    if (count < 8) continue;
    if (begins_word(first) || buffer_.compare(first - std::min<std::size_t>(first, 3), 3, "bot") == 0) return true;
  }
  return false;
}

// "-----BEGIN … PRIVATE KEY-----", and not the same with END.
bool SecretScanner::begins_pem(std::size_t begin) const {
  const std::size_t dashes = buffer_.rfind("-----", begin);
  return dashes != std::string::npos && at_ - dashes <= kLookBack && buffer_.compare(dashes + 5, 5, "BEGIN") == 0;
}

void SecretScanner::found(const SecretRule& rule) {
  rule_ = &rule;
  kind_ = rule.kind;
  since_ = at_;
  since_state_ = state_;
  switch (rule.shape) {
    case SecretShape::token:
      has_needed_ = rule.needs == 0;
      mode_ = Mode::candidate;
      break;
    case SecretShape::coded:
      found_coded();
      break;
    case SecretShape::userinfo:
      colon_ = last_at_ = 0;
      mode_ = Mode::userinfo;
      break;
    case SecretShape::pem:
      dashes_ = 0;
      in_line_ = capitals_ = digits_ = 0;
      is_spoken_of_ = false;
      left_ = kMostBeforeKey;
      mode_ = Mode::opening;
      break;
    case SecretShape::field:
      found_field(at_ - rule.begin.size());
      break;
  }
}

void SecretScanner::found_coded() {
  const std::string_view before =
      std::string_view(buffer_).substr(at_ - std::min(at_, kWholeLine), std::min(at_, kWholeLine));
  const std::size_t line_end = before.rfind('\n');
  in_line_ = line_end == std::string_view::npos ? before.size() : before.size() - line_end - 1;
  has_needed_ = rule_->needs == 0 && !rule_->names;
  bits_ = 0;
  bit_count_ = -static_cast<int>(rule_->bits);
  decoded_ = 0;
  mode_ = Mode::candidate;
  if (rule_->plain == nullptr) enter_secret(rule_->kind, *rule_->bytes, since_);
}

// A field's name has ended; nothing behind it was seen.
void SecretScanner::begin_name() {
  mode_ = Mode::name;
  separator_ = 0;
  line_end_ = 0;
  lines_ = 0;
  is_member_ = false;
  is_list_ = false;
  in_index_ = false;
  in_part_line_ = false;
  columns_ = 0;
}

// Where the value will end follows from what is before the name, with all that is joined to it.
void SecretScanner::found_field(std::size_t begin) {
  const std::size_t name = begin;
  const auto is_joined = [this](std::size_t at) {
    return is_word_byte(buffer_[at]) || kInName.find(buffer_[at]) != std::string_view::npos;
  };
  for (std::size_t joined = 0; begin > 0 && joined < kMostJoined && is_joined(begin - 1); ++joined) --begin;
  const char before = begin > 0 ? buffer_[begin - 1] : '\n';
  begin_name();
  named_in_quotes_ = before == '"' || before == '\'';
  is_part_ = resumes_ ||
             (begin >= kPartName.size() && buffer_.compare(begin - kPartName.size(), kPartName.size(), kPartName) == 0);
  if (named_in_quotes_)
    open_quote(begin - 1);
  else
    quote_ = 0;
  end_without_quote_ = named_in_quotes_ ? End::quote : End::word;
  judge_line(begin, begin < name);
}

// Whether a name begins a line, or does but for blanks; or one that ended as JSON has it, whose escape's letter then is
// joined to the name when no blanks are.
void SecretScanner::judge_line(std::size_t begin, bool is_joined) {
  const std::size_t first = at_ - std::min(at_, kLookBack);
  const bool is_letter_escaped = is_joined && begin > 0 && buffer_[begin - 1] == '\\';
  const std::string_view escape = std::string_view(buffer_).substr(begin, at_ - begin);
  const std::size_t escaped = !is_letter_escaped ? 0 : escape.starts_with(kEscapedArrow) ? kEscapedArrow.size() : 1;
  const std::string_view all = std::string_view(buffer_).substr(first, begin - first + escaped);
  const std::string_view before = without_number(without_blanks(all), all);
  const bool begins_stream = before.empty() && at_ < kLookBack;
  const bool is_script = text_ == SecretText::script;
  const bool begins_string = before.size() < all.size() && before.ends_with('"') && is_before_string(before);
  is_escaped_line_ = !is_script && (before.ends_with("\\n") || before.ends_with("\\r") || begins_string);
  begins_line_ = before.ends_with('\n');
  measure_line(all, before);
  if (is_script || !(begins_stream || begins_line_)) return;
  end_without_quote_ = before.size() == all.size() ? End::line : End::row;
}

// How far the name is indented, behind its line's number, and how many backslashes that line's end would have.
void SecretScanner::measure_line(std::string_view all, std::string_view before) {
  const std::string_view blanks = all.substr(without_blanks(all).size());
  is_listed_ = before.size() + blanks.size() < all.size();
  indent_ = static_cast<std::size_t>(std::ranges::count_if(blanks, [](char byte) { return byte != '\\'; }));
  if (is_listed_ && !ends_in_arrow(without_blanks(all))) --indent_;
  slashes_ = named_in_quotes_ && quote_ == '"' ? depth_ + 1 : 0;
  if (!is_escaped_line_) return;
  const std::string_view end = before.substr(0, before.size() - 1);
  slashes_ = end.size() - std::min(end.size(), end.find_last_not_of('\\') + 1) + (before.ends_with('"') ? 1 : 0);
  slashes_ &= ~slashes_ + 1;  // as deep as JSON is a power of two, of the text's own before it twice as many
}

void SecretScanner::give_up() {
  at_ = since_;
  mode_ = Mode::text;
  state_ = since_state_;
  try_rules(tried_ + 1);
}

void SecretScanner::enter_text() {
  if (std::exchange(resumes_, false)) return enter_unknown();
  mode_ = Mode::text;
  state_ = 0;
  continuation_ = 0;
}

void SecretScanner::enter_secret(std::string_view kind, const ByteClass& bytes, std::size_t from) {
  hide(kind, from, at_);
  kind_ = kind;
  class_ = &bytes;
  mode_ = Mode::secret;
}

// ---- what may be a secret ----

void SecretScanner::in_candidate(unsigned char byte) {
  if (!rule_->bytes->test(byte)) return give_up();
  ++at_;
  const bool is_coded = rule_->shape == SecretShape::coded;
  if (!is_coded && !is_needed_there(byte, at_ - 1 - since_)) return give_up();
  if (is_coded && !decodes(byte)) return give_up();
  has_needed_ = has_needed_ || (!is_coded && byte == static_cast<unsigned char>(rule_->needs));
  const std::size_t length = is_coded ? decoded_ : at_ - since_;
  if ((length >= rule_->least && has_needed_) || at_ - since_ >= kMostHeld)
    enter_secret(rule_->kind, *rule_->bytes, since_);
}

bool SecretScanner::is_needed_there(unsigned char byte, std::size_t at) const {
  return rule_->needs_at == 0 || (byte == static_cast<unsigned char>(rule_->needs)) == (at == rule_->needs_at);
}

// A letter of base64: false when the byte that it makes whole is none of the secret's.
bool SecretScanner::decodes(unsigned char byte) {
  const std::optional<std::uint8_t> value = base64_value(byte);
  if (!value) return false;
  ++in_line_;
  bits_ = (bits_ << 6 | *value) & 0xFFFF;
  bit_count_ += 6;
  if (bit_count_ < 8) return true;
  bit_count_ -= 8;
  const auto plain = static_cast<unsigned char>(bits_ >> bit_count_);
  ++decoded_;
  if (rule_->names && !has_needed_) {
    has_needed_ = plain == ':' || plain == '=';
    return has_needed_ || kBeforeSeparator.find(static_cast<char>(plain)) != std::string_view::npos;
  }
  has_needed_ = has_needed_ || plain == static_cast<unsigned char>(rule_->needs);
  return rule_->plain->test(plain) && is_needed_there(plain, decoded_ - 1);
}

void SecretScanner::in_userinfo(unsigned char byte) {
  if (is_escaped_url()) return in_escaped_userinfo(byte);
  const ByteClass& bytes = colon_ == 0 ? kUserinfo : text_ == SecretText::script ? kPasswordInScript : kPassword;
  const bool ends_port = (byte == '?' || byte == '#') && is_port(at_);
  if (!(byte == '@' || bytes.test(byte)) || ends_port) return end_userinfo();
  if (byte == '@') last_at_ = at_;
  ++at_;
  if (byte == ':' && colon_ == 0) colon_ = at_;
  if (at_ - since_ >= kMostHeld) enter_secret(rule_->kind, kPassword, since_);
}

// Of a URL within another's query: "me%3Apassword%40host". What it is made of is what the escapes stand for.
void SecretScanner::in_escaped_userinfo(unsigned char byte) {
  const bool ends_escape = at_ >= since_ + kDigits && buffer_[at_ - kDigits] == '%';
  const auto plain = ends_escape ? unescaped({buffer_[at_ - 1], static_cast<char>(byte)}) : std::optional(byte);
  if (byte == '&' || byte == '+' || !plain) return end_userinfo();
  const std::size_t begin = ends_escape ? at_ - kDigits : at_;
  const bool ends_port = (plain == '?' || plain == '#') && is_port(begin);
  const ByteClass& bytes = colon_ == 0 ? kUserinfo : kPassword;
  if (!(plain == '@' || bytes.test(*plain)) || ends_port) return end_userinfo();
  if (plain == '@') last_at_ = begin;
  ++at_;
  if (plain == ':' && colon_ == 0) colon_ = at_;
  if (at_ - since_ >= kMostHeld) enter_secret(rule_->kind, kPassword, since_);
}

// Digits are behind the colon, and nothing else.
bool SecretScanner::is_port(std::size_t end) const {
  const std::string_view host = std::string_view(buffer_).substr(0, end);
  return colon_ != 0 && colon_ < end && last_at_ == 0 &&
         host.find_first_not_of("0123456789", colon_) == std::string_view::npos;
}

// Before a colon.
bool SecretScanner::is_short_name() const {
  return colon_ != 0 && colon_ - 1 - since_ < kLongName;
}

// A long user name is a token itself; a short one before a password is shown. The host is looked through.
void SecretScanner::end_userinfo() {
  if (last_at_ == 0) return give_up();
  const bool has_password = colon_ != 0 && colon_ <= last_at_;
  const bool is_token = has_password ? !is_short_name() : last_at_ - since_ >= kLongName;
  if (is_token || has_password) hide(rule_->kind, is_token ? since_ : colon_, last_at_);
  at_ = last_at_;
  enter_text();
}

// ---- inside ----

void SecretScanner::in_secret(unsigned char byte) {
  if (is_coded() && in_line_of_coded(byte)) {
    ++at_;
    return;
  }
  const bool is_over = is_coded() && buffer_[at_ - 1] == '\\' && byte != '/';
  if (is_over || !class_->test(byte)) return enter_text();
  hide(kind_, at_, at_ + 1);
  ++at_;
  ++in_line_;
}

// Next to a line's end, also one that JSON has as "\n", and before an indented line; of "\/" the backslash.
bool SecretScanner::in_line_of_coded(unsigned char byte) {
  const bool is_escaped = at_ > since_ && buffer_[at_ - 1] == '\\';
  const bool line_ends = is_line_end(byte) || (is_escaped && (byte == 'n' || byte == 'r'));
  if (byte == '\\') return true;
  if (is_escaped && !line_ends && byte != '/') return false;
  if (line_ends && (in_line_ == 0 || in_line_ >= kWholeLine)) {
    in_line_ = 0;
    return true;
  }
  return in_line_ == 0 && is_blank(byte);
}

// As URLs have it, and URLs within URLs: "%3A", "%253A". What is no escape, or stands for what is not between a name
// and its value, may begin anything.
void SecretScanner::begin_percent() {
  since_ = at_;
  since_state_ = 0;
  escaped_.clear();
  mode_ = Mode::percent;
}

void SecretScanner::in_percent(unsigned char byte) {
  ++at_;
  escaped_ += static_cast<char>(byte);
  if (escaped_.size() < kDigits) return;
  const std::optional<unsigned char> plain = unescaped(escaped_);
  if (plain == '%') return begin_percent();
  if (plain == ':' || plain == '=') return begin_value(End::word);
  if (!plain || (*plain > ' ' && kBeforeEscaped.find(static_cast<char>(*plain)) == std::string_view::npos)) {
    at_ = since_;
    return enter_text();
  }
  mode_ = Mode::name;
  if (*plain == '"' || *plain == '\'') close_name();
  if (*plain == '[' || *plain == ']') in_index_ = *plain == '[';
}

// Between a field's name and its value.
void SecretScanner::in_name(unsigned char byte) {
  if (byte == '%' && separator_ == 0) {
    ++at_;
    return begin_percent();
  }
  if (is_part_ && is_member_ && in_part(byte)) return;
  if (is_blank(byte) || byte == '\\' || is_line_end_in_name(byte) || in_word_of_name(byte)) {
    const bool is_column = is_blank(byte) || (byte == 't' && is_escaped_blank(byte));
    columns_ += line_end_ != 0 && is_column ? 1 : 0;
    ++at_;
    return;
  }
  const bool is_empty = is_escaped_line_ && byte != 't' && is_escaped_blank(byte);
  const bool is_of_next = line_end_ != 0 && columns_ <= indent_;
  if ((is_empty || is_of_next) && !is_member_) return enter_text();
  if (separator_ == '=' && byte == '=') return enter_text();  // a comparison
  if (separator_ == 0) {
    if (!in_index_ && (byte == ':' || byte == '=')) {
      separator_ = static_cast<char>(byte);
    } else if (!in_index_ && closes_name(byte)) {
      close_name();
    } else {
      return leave_name(byte);
    }
    ++at_;
    return;
  }
  if (byte == '[') {
    is_list_ = text_ != SecretText::script;
    ++at_;
    return;
  }
  const bool is_nested = byte == '"' && quote_ == '"' && backslashes_before(at_) > depth_;
  if (byte == '"' && quote_ == '"' && !is_nested) return enter_text();  // nothing in it
  if (byte == '\'' && buffer_[at_ - 1] == '[' && text_ == SecretText::script) return enter_text();
  if (is_nested || opens_quote(byte)) {
    if (is_list_ && is_member_ && backslashes_before(at_) < depth_) return enter_text();  // the list's text has ended
    resumes_ = false;
    open_quote(at_++);
    return begin_value(End::quote);
  }
  if (is_string_prefix(byte)) {
    since_ = at_++;
    is_begun_ = false;
    mode_ = Mode::prefix;
    return;
  }
  begin_unquoted(byte);
}

// Behind a shell's backslash none does.
bool SecretScanner::opens_quote(unsigned char byte) const {
  if (byte == '\'' && text_ == SecretText::script && backslashes_before(at_) % 2 != 0) return false;
  const bool is_quote = byte == '"' || byte == '\'' || (byte == '`' && text_ != SecretText::script);
  return is_quote && static_cast<char>(byte) != quote_;
}

// What may be before a string, or a value's own beginning. The quote of a string in JSON has backslashes.
void SecretScanner::in_prefix(unsigned char byte) {
  const bool is_escaped = at_ > since_ && buffer_[at_ - 1] == '\\';
  const bool is_letter = is_string_prefix(byte) && at_ - since_ < kLongestPrefix && !is_escaped;
  const bool is_of_quote = byte == '\\' && at_ - since_ < kLookBack && text_ != SecretText::script;
  if (is_letter || is_of_quote) {
    ++at_;
    return;
  }
  if (!opens_quote(byte)) return leave_prefix();
  open_quote(at_++);
  begin_value(End::quote);
}

// What was told of it is of the value: then it is none that is too short.
void SecretScanner::leave_prefix() {
  at_ = since_;
  begin_unquoted(static_cast<unsigned char>(buffer_[is_begun_ ? at_ - 1 : at_]));
  backslashes_ = is_begun_ ? backslashes_before(at_) : 0;
  if (is_begun_ && mode_ == Mode::common) enter_inside();
}

void SecretScanner::begin_unquoted(unsigned char byte) {
  const bool is_common = rule_->least > 0 || kind_ == "password" || kind_ == "token";
  const bool prose = separator_ == ':' && end_without_quote_ == End::word && is_common && !is_member_ &&
                     !is_escaped_line_ && !begins_line_;
  if (prose || is_line_end(byte) || byte == '{' || begins_command()) return enter_text();
  const bool is_block = may_be_block(byte);
  begin_value(is_block ? End::block : end_of_unquoted());
  ends_with_line_ = named_in_quotes_ && !is_member_;
}

// YAML's in lines below its name: behind '|' or '>', or where nothing is behind the colon. In quotes that the name
// begins those lines end as JSON has it.
bool SecretScanner::may_be_block(unsigned char byte) const {
  const bool is_begun = byte == '|' || byte == '>';
  const bool is_below = line_end_ != 0 && end_without_quote_ != End::line;
  const bool begins_string = named_in_quotes_ && quote_ == '"' && is_begun && text_ != SecretText::script;
  const bool begins_line = end_without_quote_ == End::line || end_without_quote_ == End::row || is_escaped_line_;
  return separator_ == ':' && !is_member_ && !is_list_ && (begins_string || (begins_line && (is_begun || is_below)));
}

// Of a script; what is behind a line's end is no value, but what the shell runs next.
bool SecretScanner::begins_command() const {
  const std::size_t before = text_ == SecretText::script ? buffer_.find_last_not_of(" \t", at_ - 1) : std::string::npos;
  return before != std::string::npos && is_line_end(buffer_[before]);
}

// In a script a value ends with its word, and in a list with its comma.
SecretScanner::End SecretScanner::end_of_unquoted() const {
  const bool is_open = text_ != SecretText::script && !is_list_;
  if (separator_ == '=' && end_without_quote_ != End::quote) return is_open ? End::blank : End::word;
  if (!is_open || is_member_ || end_without_quote_ != End::word) return end_without_quote_;
  if (kind_ == "cookie") return End::cookie;
  return is_escaped_line_ ? End::blank : End::word;
}

// The quote that was open before the name; or one right behind it, whatever else it holds: "Connection:Password".
bool SecretScanner::closes_name(unsigned char byte) const {
  if (named_in_quotes_ && static_cast<char>(byte) == quote_) return true;
  return (byte == '"' || byte == '\'') && buffer_.find_first_not_of('\\', since_) == at_;
}

// Its quotes hold the name alone: "name": value
void SecretScanner::close_name() {
  end_without_quote_ = End::word;
  is_member_ = true;
  quote_ = 0;
  depth_ = backslashes_before(at_);
  named_in_quotes_ = false;
}

// Below the name of a form's part: lines of its head, which are text ("Content-Type: …"), an empty one, and the value.
bool SecretScanner::in_part(unsigned char byte) {
  if (byte == '\n' && ++lines_ == 2) {
    ++at_;
    begin_value(End::line);
    return true;
  }
  if (is_line_end(byte)) {
    ++at_;
    return true;
  }
  if (lines_ > 0) {
    in_part_line_ = byte == 'C' || byte == 'c';
    state_ = 0;
  }
  lines_ = 0;
  if (!in_part_line_) return false;
  mode_ = Mode::text;
  in_text(byte);
  if (mode_ == Mode::text) mode_ = Mode::name;
  return true;
}

// It is no field's. Something longer may have begun with it: AGE-SECRET-KEY-1. A quote behind backslashes, in what may
// be the rest of a secret, was the secret's own unless a member may end there. The letter of what looks like a tab may
// begin another name: "secret\token".
void SecretScanner::leave_name(unsigned char byte) {
  const bool is_behind_value = std::string_view(",}])").find(static_cast<char>(byte)) != std::string_view::npos;
  if (rule_ == &kUnnamed && backslashes_ > 0 && !is_behind_value) return enter_unknown();
  const bool is_at_end = at_ == since_;
  const bool is_tab_before = at_ - since_ >= 2 && buffer_.compare(at_ - 2, 2, "\\t") == 0;
  enter_text();
  if (is_at_end) state_ = since_state_;
  if (is_tab_before) state_ = automaton_->step(state_, 't');
}

// "user[password][0]=", of ":=", "+=" and "=>" one half, and the blanks of forms, which are a '+' too.
bool SecretScanner::in_word_of_name(unsigned char byte) {
  const char before = at_ > 0 ? buffer_[at_ - 1] : '\0';
  if (separator_ == ':' && byte == '=' && before == ':') {
    separator_ = '=';
    return true;
  }
  if (separator_ != 0) return separator_ == '=' && byte == '>' && before == '=' && text_ != SecretText::script;
  if (byte == '[' || byte == ']') in_index_ = byte == '[';
  return byte == '[' || byte == ']' || byte == '+' || (in_index_ && is_digit(static_cast<char>(byte)));
}

// Next to a member's colon lines may end, in JSON that is quoted itself as two characters, and next to any separator
// such a tab may be; a header's value may begin in the next line, when that is indented.
bool SecretScanner::is_line_end_in_name(unsigned char byte) {
  const bool is_escaped = is_escaped_blank(byte);
  if ((is_member_ || byte == 't') && is_escaped) return true;
  if (is_line_end(byte) && is_member_) return true;
  const bool is_end = is_escaped_line_ ? is_escaped : is_line_end(byte);
  const bool may_be_deeper = separator_ == ':' && !is_listed_ && (is_escaped_line_ || end_without_quote_ == End::row);
  if (!is_end || separator_ == 0 || !(end_without_quote_ == End::line || may_be_deeper)) return false;
  const char end = byte == 'n' ? '\n' : byte == 'r' ? '\r' : static_cast<char>(byte);
  const bool is_second = line_end_ != 0 && !(line_end_ == '\r' && end == '\n');
  line_end_ = end;
  columns_ = 0;
  return !is_second;
}

bool SecretScanner::is_escaped_blank(unsigned char byte) const {
  return at_ > 0 && buffer_[at_ - 1] == '\\' && (byte == 'n' || byte == 'r' || byte == 't');
}

// Of text in quotes inside of quoted text ("{\"a\":\"b\"}") the backslashes before it belong to the quote. Single
// quotes of a shell know none, but for $'…'.
void SecretScanner::open_quote(std::size_t at) {
  quote_ = buffer_[at];
  const bool is_behind_dollar =
      at > 0 && buffer_[at - 1] == '$' && (at < 2 || (buffer_[at - 2] != '$' && buffer_[at - 2] != '\\'));
  has_escapes_ = quote_ == '"' || text_ != SecretText::script || is_behind_dollar;
  depth_ = backslashes_before(at);
  follow_outer(at);
  is_in_string_ = quote_ != '"' && outer_.in_string();
}

void SecretScanner::follow_outer(std::size_t to) {
  if (outer_at_ >= to) return;
  outer_.take(std::string_view(buffer_).substr(outer_at_, to - outer_at_));
  outer_at_ = to;
}

std::size_t SecretScanner::backslashes_before(std::size_t at) const {
  std::size_t count = 0;
  while (count < at && buffer_[at - 1 - count] == '\\') ++count;
  return count;
}

// As many backslashes belong to the quote that ends the value; what is beyond them stands for backslashes of the value
// itself, or for its own quotes. With fewer an outer text ends. JSON has none before single quotes, however deep it is
// quoted: any that are beyond those of the quote may stand for one of the value. A shell's $'…' has its own alone.
bool SecretScanner::is_end_quote(unsigned char byte) const {
  if (static_cast<char>(byte) != quote_) return false;
  if (quote_ == '\'' && text_ == SecretText::script) return !has_escapes_ || backslashes_ % 2 == 0;
  if (!has_escapes_ || backslashes_ <= depth_) return true;
  return quote_ != '\'' && backslashes_ % (2 * (depth_ + 1)) == depth_;
}

void SecretScanner::count_backslashes(unsigned char byte) {
  backslashes_ = byte == '\\' ? backslashes_ + 1 : 0;
}

void SecretScanner::enter_value(End end) {
  end_ = end;
  backslashes_ = 0;
  line_end_ = 0;
  is_unsure_ = false;
  may_open_ = false;
  ends_with_line_ = false;
  place_ = Place::text;
  is_behind_outer_ = false;
  is_between_ = false;
  key_ = nullptr;
  state_ = 0;
  since_ = at_;
  scheme_ = ends_at_blank() && kind_ == "authorization";
  mode_ = Mode::value;
}

// The value of a field begins here. One that harmless values have too is decided by its first bytes.
void SecretScanner::begin_value(End end) {
  enter_value(end);
  enter_inside();
  if (rule_->least > 0) mode_ = Mode::common;
}

bool SecretScanner::ends_value(unsigned char byte) const {
  const bool line_ends = is_line_end(byte);
  switch (end_) {
    case End::line:
    case End::row:
      return line_ends;
    case End::block:
      return line_ends || (slashes_ > 0 && (byte == '\\' || byte == '"'));
    case End::word:
      return !kInWord.test(byte);
    case End::blank:
      return !kUnquoted.test(byte) || (byte == '&' && separator_ == '=');
    case End::cookie:
      return line_ends || byte == '"' || byte == '\'' || byte == '\\';
    case End::quote:
      break;
  }
  const bool escaped_line_ends = ends_with_line_ && (byte == 'n' || byte == 'r') && backslashes_ == depth_ + 1;
  return line_ends || escaped_line_ends || is_end_quote(byte);
}

// Behind it more of a list may come, unless what the list is in has ended, too.
void SecretScanner::leave_value(unsigned char byte) {
  const bool is_quoted = end_ == End::quote && static_cast<char>(byte) == quote_ && backslashes_ >= depth_;
  const bool may_go_on = is_list_ && (is_quoted || (end_ == End::word && is_member_));
  if (!may_go_on && !is_quoted) return leave_line();
  if (!may_go_on) return is_unsure_ || kind_ == kUnknown ? leave_unknown() : enter_text();
  if (is_quoted) ++at_;
  mode_ = Mode::list;
}

// Below a private key's first line its next may come.
void SecretScanner::leave_line() {
  const bool may_be_key = key_ != nullptr && !resumes_;
  enter_text();
  if (may_be_key) found(*key_);
}

// Whether a private key's first line ends here, or its last.
void SecretScanner::notice_key() {
  if (!automaton_->ends_in(state_)) return;
  for (const std::uint16_t index : automaton_->ending_in(state_)) {
    const SecretRule& rule = secret_rules()[index];
    if (rule.shape != SecretShape::pem) continue;
    ++at_;
    key_ = fits(rule) ? &rule : nullptr;
    --at_;
  }
}

// A '<' begins what language models call a token. What is shorter in a list holds no key.
void SecretScanner::in_common(unsigned char byte) {
  if (is_list_ && ends_value(byte)) return leave_value(byte);
  const bool ends =
      ends_value(byte) || ends_outer(byte) || (end_ == End::blank && !kInWord.test(byte));  // code has short ones
  if (ends && end_ == End::block && begins_block(std::string_view(buffer_).substr(since_, at_ - since_))) {
    hide(kind_, since_, at_);
    return enter_inside();
  }
  if (ends || byte <= ' ' || (byte == '<' && at_ == since_)) {
    at_ = since_;
    return enter_text();
  }
  count_backslashes(byte);
  ++at_;
  if (at_ - since_ < rule_->least) return;
  hide(kind_, since_, at_);
  enter_inside();
}

// "Bearer" is a word of its own, with blanks behind it.
bool SecretScanner::is_behind_scheme(unsigned char byte) const {
  return is_blank(byte) && ends_at_blank() && (scheme_ || (is_blank(buffer_[at_ - 1]) && buffer_[at_ - 2] != '\\'));
}

// A backslash ends a value without quotes, unless it is a shell's, before what else would: "ab\ cd". JSON has it
// doubled. What a shell itself runs is put together word by word elsewhere.
bool SecretScanner::in_escape(unsigned char byte) {
  constexpr std::string_view kEscaped = " \t&;|()<>$*?#!{}[],~=";
  if (!(ends_at_blank() || end_ == End::cookie) || text_ == SecretText::script) return false;
  if (byte == '\\') {
    count_backslashes(byte);
    ++at_;
    return true;
  }
  if (backslashes_ == 0) return false;
  backslashes_ = 0;
  if (kEscaped.find(static_cast<char>(byte)) == std::string_view::npos) {
    leave_value(byte);
    return true;
  }
  scheme_ = false;
  if (!is_blank(byte)) hide(kind_, at_, at_ + 1);
  ++at_;
  return true;
}

// Where a line of the value has ended: true when the byte is dealt with, or begins a line that is not indented.
bool SecretScanner::in_next_line(unsigned char byte) {
  const bool is_second_half = line_end_ == '\r' && byte == '\n';
  const bool is_empty_line = is_line_end(byte) && end_ == End::quote;
  if (is_second_half || is_empty_line) {
    line_end_ = static_cast<char>(byte);
    ++at_;
    return true;
  }
  line_end_ = 0;
  if (is_blank(byte)) return false;
  leave_line();
  return true;
}

void SecretScanner::in_value(unsigned char byte) {
  const bool line_ends = is_line_end(byte);
  if (line_end_ != 0 && in_next_line(byte)) return;
  if (ends_outer(byte)) return leave_line();
  if (in_escape(byte)) return;
  if (is_behind_scheme(byte)) {
    scheme_ = false;
    ++at_;
    return;
  }
  if (is_unsure_ && end_ == End::quote && is_begun_by(byte)) return;
  state_ = automaton_->step(state_, byte);
  notice_key();
  const bool ends = ends_value(byte);
  if (!ends && is_unsure_ && kind_ == kUnknown && finds_field()) return;
  const bool may_go_on = depth_ == 0 && !is_list_ && kind_ != kUnknown && !is_unsure_;
  if (end_ == End::quote && may_go_on && is_end_quote(byte)) return close_quote();
  if (ends && line_ends && is_unsure_) {
    leave_line();
    in_rest_ = true;
    return;
  }
  const bool may_be_folded = end_ == End::line || (end_ == End::quote && !is_list_);
  if (ends && line_ends && may_be_folded && text_ != SecretText::script) {
    line_end_ = static_cast<char>(byte);
    ++at_;
    return;
  }
  if (is_expansion(byte)) return enter_text();
  if (ends) return leave_value(byte);
  count_backslashes(byte);
  hide(kind_, at_, at_ + 1);
  ++at_;
}

// A value in '' or `` ends with the string of JSON that it is in. Not with its quote alone: what looks like JSON may be
// something else.
bool SecretScanner::ends_outer(unsigned char byte) {
  const bool ends =
      is_behind_outer_ && std::string_view(",}]:").find(static_cast<char>(byte)) != std::string_view::npos;
  is_behind_outer_ = is_in_string_ && end_ == End::quote && byte == '"' && backslashes_ % 2 == 0;
  return ends;
}

void SecretScanner::close_quote() {
  ++at_;
  joined_ = 0;
  mode_ = Mode::closed;
}

// Behind a value's quote the same one begins more of it, or, when nothing was between them, lines up to three of them.
// And so does what shells need to have a single quote in single quotes, '"'"' or '\'', also as JSON has it. What is
// behind \' without a third quote is of the same word.
void SecretScanner::in_closed(unsigned char byte) {
  constexpr std::string_view kSingle = "\"'\"'";
  constexpr auto kEscaped = static_cast<std::uint8_t>(kSingle.size());
  const auto character = static_cast<char>(byte);
  if (joined_ == kEscaped) {
    mode_ = Mode::value;
    if (character != quote_ && text_ == SecretText::script) end_ = End::word;
    if (character != quote_) return;
  } else if (joined_ == 0 && character == '\'' && quote_ == '\'' && buffer_[at_ - 1] == '\\') {
    joined_ = kEscaped;
  } else if (joined_ == 0 && character == quote_) {
    has_escapes_ = has_escapes_ && (quote_ == '"' || text_ != SecretText::script);
    left_ = kMostInThree;
    mode_ = at_ == since_ + 1 && text_ != SecretText::script ? Mode::three : Mode::value;
  } else if (quote_ == '\'' && character == kSingle[joined_]) {
    if (++joined_ == kSingle.size()) mode_ = Mode::value;
  } else if (quote_ != '\'' || character != '\\') {
    return enter_text();
  }
  ++at_;
}

// In three quotes. What is behind so many bytes is taken for text again.
void SecretScanner::in_three(unsigned char byte) {
  const bool is_quote = static_cast<char>(byte) == quote_ && backslashes_ % 2 == 0;
  joined_ = is_quote ? static_cast<std::uint8_t>(joined_ + 1) : std::uint8_t{0};
  count_backslashes(byte);
  if (!is_quote) hide(kind_, at_, at_ + 1);
  ++at_;
  if (joined_ == 3 || --left_ == 0) enter_text();
}

// In a value of YAML, below whose name lines are its own that are indented deeper, or empty. As JSON has it, it ends
// with its string, too.
void SecretScanner::in_block(unsigned char byte) {
  state_ = automaton_->step(state_, byte);
  notice_key();
  const bool is_escape = slashes_ > 0 && backslashes_ % (2 * slashes_) == slashes_;
  const std::size_t outer = slashes_ > 0 ? backslashes_ % (2 * slashes_) : 0;
  const bool is_outer_escape = outer > 0 && outer < slashes_ && (byte == 'n' || byte == 'r');
  if ((is_line_end(byte) && is_escaped_line_) || is_outer_escape) return leave_line();  // of what its lines stand in
  if (is_line_end(byte) || (is_escape && (byte == 'n' || byte == 'r'))) {
    place_ = is_listed_ ? Place::number : Place::blanks;
    columns_ = 0;
    count_backslashes(byte);
    ++at_;
    return;
  }
  in_block_line(byte, is_escape);
}

void SecretScanner::in_block_line(unsigned char byte, bool is_escape) {
  const bool is_column = is_blank(byte) || (is_escape && byte == 't');
  const bool may_be_column = is_column || (slashes_ > 0 && byte == '\\');
  if (slashes_ > 0 && byte == '"' && backslashes_ % (2 * slashes_) < slashes_) return leave_line();
  if (place_ == Place::number) {
    if (!in_number(byte, is_escape)) return leave_number(byte);
  } else if (place_ == Place::blanks) {
    columns_ += is_column ? 1 : 0;
    if (!may_be_column && columns_ <= indent_) return leave_line();
    if (!may_be_column) place_ = Place::text;
  }
  count_backslashes(byte);
  if (place_ == Place::text || (place_ == Place::blanks && columns_ > indent_)) hide(kind_, at_, at_ + 1);
  ++at_;
}

// Before a line of a listing. False: it is none.
bool SecretScanner::in_number(unsigned char byte, bool is_escape) {
  constexpr std::string_view kBetween = " \\u0123456789\xE2\x86";
  const bool is_over =
      byte == '\t' || (is_escape && byte == 't') || ends_in_arrow(std::string_view(buffer_).substr(0, at_ + 1));
  if (is_over) place_ = Place::blanks;
  return is_over || kBetween.find(static_cast<char>(byte)) != std::string_view::npos;
}

// In the middle of what only began like an arrow text goes on there.
void SecretScanner::leave_number(unsigned char byte) {
  leave_line();
  if ((byte & 0xC0) == 0x80) continuation_ = buffer_[at_ - 1] == kArrow[0] ? 2 : 1;
}

// What a shell runs here stays to be seen: $(…), `…`. And so does what says how far its quotes go: x$'…'.
bool SecretScanner::is_expansion(unsigned char byte) {
  if (text_ != SecretText::script) return false;
  const bool is_behind_dollar = at_ > 0 && buffer_[at_ - 1] == '$';
  const bool substitutes = is_behind_dollar && (byte == '(' || (byte == '\'' && end_ == End::word));
  if (substitutes && at_ > since_ && !hidden_.empty()) --hidden_.back().length;
  return substitutes || byte == '`';
}

// Between two values.
void SecretScanner::in_list(unsigned char byte) {
  if (byte == '"' || byte == '\'') {
    const std::size_t depth = depth_;
    open_quote(at_);
    if (depth_ < depth) return enter_text();  // the text that the list is in has ended
    ++at_;
    return begin_value(End::quote);
  }
  if (std::string_view(", \t\r\n\\").find(static_cast<char>(byte)) != std::string_view::npos ||
      is_escaped_blank(byte)) {
    ++at_;
    return;
  }
  if (!is_member_ || byte == ':' || !kInWord.test(byte)) return enter_text();
  begin_value(End::word);
}

// Behind a private key's first line: is it one, or only spoken of? A key has so many letters of base64 in a row,
// however they are written, perhaps behind lines that say more of it, and whatever each line begins with. No script's
// lines do: what it runs stays to be seen.
void SecretScanner::in_opening(unsigned char byte) {
  constexpr std::string_view kBetween = " \t\r\n:,.-\"'+()%\\";
  count_letter(byte);
  const bool is_between = in_line_ > 0 || kBetween.find(static_cast<char>(byte)) != std::string_view::npos;
  is_spoken_of_ = is_spoken_of_ || !is_between;
  const bool is_over = dashes_ == kDashes || (is_spoken_of_ && text_ == SecretText::script);
  if (is_over || left_ == 0) return give_up();
  --left_;
  ++at_;
  if (!is_key_line() && !(byte == ':' && names_key_line(std::string_view(buffer_).substr(0, at_ - 1)))) return;
  hide(kind_, since_, at_);
  enter_pem();
}

// Letters of base64 in a row, as any text may write them: what stands for one of them, or for a line's end, ends no
// row.
void SecretScanner::count_letter(unsigned char byte) {
  dashes_ = byte == '-' ? static_cast<std::uint8_t>(dashes_ + 1) : std::uint8_t{0};
  const bool is_inside = byte == '+' || byte == '%' || byte == '\\';
  const bool goes_on = is_inside ? in_line_ > 0 : base64_value(byte) && byte != '-' && byte != '_';
  if (!goes_on) in_line_ = capitals_ = digits_ = 0;
  if (!goes_on) return;
  ++in_line_;
  capitals_ += byte >= 'A' && byte <= 'Z' ? 1 : 0;
  digits_ += is_digit(static_cast<char>(byte)) ? 1 : 0;
}

// Where other text is around them, a path or a long name may be as long; it has fewer capitals and digits.
bool SecretScanner::is_key_line() const {
  return in_line_ >= kKeyLine && (!is_spoken_of_ || (capitals_ >= 3 && digits_ >= 2));
}

void SecretScanner::enter_pem() {
  left_ = kMostBeside;
  mode_ = Mode::pem;
}

// Up to five dashes, or to where no more such rows of letters come: what began beside them was not looked at.
void SecretScanner::in_pem(unsigned char byte) {
  count_letter(byte);
  left_ = in_line_ >= kKeyLine ? kMostBeside : left_ - 1;
  hide(kind_, at_, at_ + 1);
  ++at_;
  if (dashes_ == kDashes) return enter_text();
  if (left_ == 0) enter_unknown();
}

void SecretScanner::enter_binary() {
  message_ = 0;
  kind_ = kBinary;
  mode_ = Mode::binary;
}

void SecretScanner::in_binary(unsigned char byte) {
  const auto expected = static_cast<unsigned char>(kMessage[message_]);
  message_ = byte == expected ? static_cast<std::uint8_t>(message_ + 1)
             : byte == 'H'    ? std::uint8_t{1}
                              : std::uint8_t{0};
  hide(kind_, at_, at_ + 1);
  ++at_;
  if (message_ == kMessage.size() && text_ != SecretText::body) return enter_text();
  message_ %= kMessage.size();
}

std::string without_secrets(std::string_view text, SecretText kind) {
  SecretScanner scanner(kind);
  std::string out = scanner.take(text).bytes;
  return out + scanner.flush().bytes;
}

}  // namespace aa
