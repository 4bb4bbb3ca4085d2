// event/secret_scanner.h: finds secrets in a stream that comes in pieces, and replaces their bytes.
//
// Comes in: one direction of a connection, piece by piece, in order. Goes out: the same number of bytes, those of
// secrets as '*', and where they were. What cannot be decided yet is held back, at most kMostHeld bytes of it. Bytes
// that are not text are replaced too, up to the next message of HTTP/1: nobody looked into them. Pure: knows no event,
// no clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "event/secret_rules.h"

namespace aa {

inline constexpr std::string_view kBinary = "binary";

struct Redaction {
  std::string_view kind;     // of a rule; kBinary: not text; "unknown": may belong to a secret that began unseen
  std::uint64_t offset = 0;  // in the stream
  std::uint64_t length = 0;

  bool operator==(const Redaction&) const = default;
};

// What a text is: where a value without quotes ends, when its name begins a line.
enum class SecretText : std::uint8_t {
  stream,  // with the line: headers; and what is no text is not shown
  body,    // the same; but no message begins in it, so what is no text ends with it only
  header,  // with the line, for an argument that is a header
  script,  // with the word: what a shell would run must stay to be seen
};

// Whether a place is within a string of JSON, where its line begins like that, perhaps behind a stream's "data:".
class JsonLine {
 public:
  void take(std::string_view bytes);
  bool in_string() const { return part_ == Part::inside && in_string_; }
  // What comes is the rest of a line.
  void miss() { *this = JsonLine(Part::other); }
  JsonLine() = default;

 private:
  enum class Part : std::uint8_t { before, bracket, inside, other };
  explicit JsonLine(Part part) : part_(part) {}
  void step(char byte);

  Part part_ = Part::before;
  std::uint8_t data_ = 0;  // bytes of "data:" seen
  char bracket_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
};

class SecretScanner {
 public:
  static constexpr std::size_t kMostHeld = 256;

  // `offset`: of the first byte that will come.
  explicit SecretScanner(SecretText text = SecretText::stream, std::uint64_t offset = 0)
      : text_(text), offset_(offset) {}

  // Bytes that may be shown, and what was replaced among them.
  struct Shown {
    std::string bytes;
    std::vector<Redaction> redactions;
  };

  // The stream goes on with these bytes.
  Shown take(std::string_view bytes);
  // So many bytes were missed, or (0) the beginning was: what comes next may be the rest of a secret, and is taken for
  // one up to the next quote, or to the line's end and on through lines that are indented or look like base64. Gives
  // what was held.
  Shown miss(std::uint64_t bytes);
  // What is held is decided on what is known: what could still become a secret is taken for one.
  Shown flush();

  std::size_t held() const { return buffer_.size() - shown_; }

 private:
  enum class Mode : std::uint8_t {
    text,
    candidate,
    userinfo,
    name,
    percent,
    prefix,
    common,
    value,
    closed,
    three,
    block,
    list,
    secret,
    opening,
    pem,
    binary
  };
  // Where a value ends.
  enum class End : std::uint8_t {
    line,    // with its line, and those below it that are indented
    row,     // with its line
    block,   // with those below it that are indented deeper than its name
    word,    // as a shell's or a language's
    blank,   // before a blank or a quote
    cookie,  // before a quote, a backslash or the line's end
    quote,   // with the one that began it
  };

  void run();
  Shown show();
  void settle();
  void settle_opening();
  void in_text(unsigned char byte);
  void in_candidate(unsigned char byte);
  void in_userinfo(unsigned char byte);
  void in_escaped_userinfo(unsigned char byte);
  void in_name(unsigned char byte);
  void begin_percent();
  void in_percent(unsigned char byte);
  void in_common(unsigned char byte);
  void in_value(unsigned char byte);
  bool is_expansion(unsigned char byte);
  bool in_next_line(unsigned char byte);
  bool in_escape(unsigned char byte);
  bool ends_outer(unsigned char byte);
  void follow_outer(std::size_t to);
  void close_quote();
  void in_closed(unsigned char byte);
  void in_three(unsigned char byte);
  void in_block(unsigned char byte);
  void in_block_line(unsigned char byte, bool is_escape);
  bool in_number(unsigned char byte, bool is_escape);
  void leave_number(unsigned char byte);
  void in_list(unsigned char byte);
  void in_secret(unsigned char byte);
  void in_opening(unsigned char byte);
  void in_pem(unsigned char byte);
  void enter_pem();
  void count_letter(unsigned char byte);
  bool is_key_line() const;
  void in_binary(unsigned char byte);
  void judge_rest(unsigned char byte);

  void try_rules(std::size_t from);
  bool fits(const SecretRule& rule) const;
  bool decodes(unsigned char byte);
  bool is_coded() const { return rule_ != nullptr && rule_->shape == SecretShape::coded; }
  bool in_line_of_coded(unsigned char byte);
  void found_coded();
  bool begins_pem(std::size_t begin) const;
  void found(const SecretRule& rule);
  void found_field(std::size_t begin);
  void open_quote(std::size_t at);
  std::size_t backslashes_before(std::size_t at) const;
  void give_up();
  void enter_text();
  void enter_secret(std::string_view kind, const ByteClass& bytes, std::size_t from);
  void enter_value(End end);
  void begin_value(End end);
  void enter_inside() { mode_ = end_ == End::block ? Mode::block : Mode::value; }
  End end_of_unquoted() const;
  bool ends_at_blank() const { return end_ == End::word || end_ == End::blank; }
  void leave_value(unsigned char byte);
  void leave_line();
  void notice_key();
  bool ends_value(unsigned char byte) const;
  bool is_end_quote(unsigned char byte) const;
  void count_backslashes(unsigned char byte);
  bool is_undecided() const {
    return mode_ == Mode::candidate || mode_ == Mode::userinfo || mode_ == Mode::percent || mode_ == Mode::prefix ||
           mode_ == Mode::common || mode_ == Mode::opening;
  }
  bool opens_quote(unsigned char byte) const;
  void in_prefix(unsigned char byte);
  void leave_prefix();
  void begin_unquoted(unsigned char byte);
  bool is_whole() const { return text_ == SecretText::script || text_ == SecretText::header; }
  void leave_name(unsigned char byte);
  void judge_line(std::size_t begin, bool is_joined);
  void measure_line(std::string_view all, std::string_view before);
  bool may_be_block(unsigned char byte) const;
  bool closes_name(unsigned char byte) const;
  void close_name();
  bool is_behind_scheme(unsigned char byte) const;
  bool in_part(unsigned char byte);
  bool in_word_of_name(unsigned char byte);
  bool is_port(std::size_t end) const;
  bool is_escaped_url() const { return rule_->begin.starts_with('%'); }
  bool begins_command() const;
  bool is_short_name() const;
  bool may_begin_longer() const;
  bool is_needed_there(unsigned char byte, std::size_t at) const;
  bool begins_word(std::size_t at) const;
  bool has_digits_before(std::size_t begin) const;
  void enter_unknown();
  void leave_unknown();
  void begin_name();
  bool is_begun_by(unsigned char byte);
  void begin_unnamed();
  bool finds_field();
  void enter_binary();
  bool is_line_end_in_name(unsigned char byte);
  bool is_escaped_blank(unsigned char byte) const;
  void end_userinfo();
  void hide(std::string_view kind, std::size_t from, std::size_t to);
  bool is_text(unsigned char byte);

  const SecretAutomaton* automaton_ = &SecretAutomaton::shared();
  SecretText text_;
  Mode mode_ = Mode::text;
  SecretAutomaton::State state_ = 0;
  std::uint8_t continuation_ = 0;  // bytes that a UTF-8 sequence still needs

  // The bytes not shown yet, behind some that were: `shown_` of them, kept to look back at.
  std::string buffer_;
  std::uint64_t offset_ = 0;  // in the stream, of buffer_[0]
  std::size_t shown_ = 0;
  std::size_t at_ = 0;             // how far we are
  std::vector<Redaction> hidden_;  // not shown yet; offsets are of the stream

  // Of what we are inside.
  const SecretRule* rule_ = nullptr;
  const SecretRule* key_ = nullptr;  // value: the rule whose private key began in it, and did not end yet
  std::string_view kind_;
  const ByteClass* class_ = nullptr;
  std::size_t since_ = 0;  // where a candidate's own bytes begin
  SecretAutomaton::State since_state_ = 0;
  std::size_t tried_ = 0;  // which of the rules that begin there
  bool has_needed_ = false;
  unsigned bits_ = 0;         // coded: that are not a whole byte yet
  int bit_count_ = 0;         // how many; below 0: so many are the beginning's
  std::size_t decoded_ = 0;   // whole ones
  std::size_t in_line_ = 0;   // coded: letters of this line; opening, pem: letters in a row
  std::size_t capitals_ = 0;  // opening, pem: of these
  std::size_t digits_ = 0;
  bool is_spoken_of_ = false;  // opening: other bytes came than are between a key's lines
  std::size_t left_ = 0;       // opening, pem, three: so many bytes may come until something ends it
  std::string escaped_;        // percent: of "%3D" the digits seen
  std::size_t colon_ = 0;      // userinfo: behind its ':', 0 none yet
  std::size_t last_at_ = 0;    // userinfo: where its last '@' begins, 0 none yet
  End end_ = End::line;
  End end_without_quote_ = End::line;
  char quote_ = 0;
  bool named_in_quotes_ = false;
  bool is_part_ = false;  // name: of a form in parts; behind an empty line comes the value
  bool in_part_line_ = false;
  std::uint8_t lines_ = 0;        // name: ends of lines behind a part's name, or behind another line of its head
  bool is_escaped_line_ = false;  // name: begins a line that ended as JSON has it: "\n"
  bool begins_line_ = false;      // name: but for blanks
  bool is_member_ = false;        // name: of JSON, its quotes hold nothing else
  bool in_index_ = false;         // name: behind its '['
  bool is_list_ = false;          // name, value: of several, in brackets
  char line_end_ = 0;             // name, value: the last byte was this; an indented line goes on with it
  bool is_unsure_ = false;        // value: bytes of it were missed, another secret may have begun there
  bool is_between_ = false;       // value: unsure; behind a separator nothing came but what may be before a quote
  bool may_open_ = false;         // value: unsure; nothing of it was seen, not even the quote that it may begin with
  bool resumes_ = false;          // in what may be the rest of a secret a field's name was met
  // Of YAML, in lines below its name.
  enum class Place : std::uint8_t { number, blanks, text };
  Place place_ = Place::text;    // block: where in its line it is
  bool is_listed_ = false;       // name, block: lines begin with their numbers
  std::size_t indent_ = 0;       // name, block: how far the name is indented
  std::size_t columns_ = 0;      // name, block: this line, as far as was seen
  std::size_t slashes_ = 0;      // name, block: of a string of JSON, backslashes that its line ends have
  bool is_begun_ = false;        // prefix: some of it was told, as a secret
  std::uint8_t joined_ = 0;      // closed: bytes seen that stand for a quote, all: "\'"; three: quotes in a row
  bool ends_with_line_ = false;  // value: the text in quotes began with its name: "NAME: VALUE\nmore"
  bool in_rest_ = false;         // what is made of base64 and line ends is the rest of a secret
  JsonLine outer_;
  std::size_t outer_at_ = 0;      // how far it has come
  bool is_in_string_ = false;     // the quote was opened in one of JSON, whose own quotes are others
  bool is_behind_outer_ = false;  // value: its last byte was such a quote
  char separator_ = 0;
  bool has_escapes_ = false;
  std::size_t depth_ = 0;        // backslashes that belong to the quote
  std::size_t backslashes_ = 0;  // value: its last bytes
  bool scheme_ = false;          // a word may come before the value itself
  std::uint8_t dashes_ = 0;
  std::uint8_t message_ = 0;  // bytes of "HTTP/1." seen
};

// A text that is there whole.
std::string without_secrets(std::string_view text, SecretText kind);

}  // namespace aa
