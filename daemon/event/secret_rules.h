// event/secret_rules.h: what a secret looks like: by what it begins with, and how far it goes; the same in base64.
//
// Comes in: nothing. Goes out: a table of rules, and an automaton that finds their beginnings in a stream, a byte at a
// time. Beginnings are public (every key of a service has the same), so nothing is lost by showing them.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace aa {

using ByteClass = std::bitset<256>;

// What follows a beginning.
enum class SecretShape : std::uint8_t {
  token,     // bytes of a class, at least so many
  field,     // name, perhaps a quote, ':' or '=', perhaps a quote, then the value up to where it ends
  pem,       // everything up to five dashes
  coded,     // another rule's in base64: at least so many bytes of its class, then all that is base64
  userinfo,  // "user:password@" of a URL, up to the last @; only the password is secret
};

struct SecretRule {
  std::string_view kind;   // as events name it: "github", "authorization"
  std::string_view begin;  // lower case where `any_case`
  SecretShape shape = SecretShape::token;
  const ByteClass* bytes = nullptr;  // token: what it is made of
  std::uint16_t least = 0;  // token: shorter ones are none; field: nor values without so many bytes before a space
  bool any_case = false;
  bool whole_word = true;      // no letter, digit or _ before it
  char needs = 0;              // token, coded: it holds this byte too
  std::uint8_t needs_at = 0;   // 0: anywhere; else behind so many bytes, and nowhere else
  bool digits_before = false;  // token: eight to ten
  // coded: what the bytes that are coded are made of; bits of the beginning that the next letter holds
  const ByteClass* plain = nullptr;
  std::uint8_t bits = 0;
  bool names = false;  // coded: a field's name: perhaps a quote, ':' or '=' come before what is secret
};

// What a letter of base64 stands for, of either alphabet; nullopt: it is none.
std::optional<std::uint8_t> base64_value(unsigned char letter);

std::span<const SecretRule> secret_rules();

// All beginnings at once, letters of either case taken for the same (Aho and Corasick, 1975).
class SecretAutomaton {
 public:
  static const SecretAutomaton& shared();

  using State = std::uint16_t;
  State step(State state, unsigned char byte) const { return next_[state][byte]; }
  bool ends_in(State state) const { return ends_[state] != 0; }
  // Rules whose beginning ends in this state, the longest first; indices into secret_rules().
  std::span<const std::uint16_t> ending_in(State state) const { return endings_[state]; }

 private:
  SecretAutomaton();
  void add(std::uint16_t rule);
  void link();

  std::vector<std::array<State, 256>> next_;
  std::vector<std::vector<std::uint16_t>> endings_;
  std::vector<std::uint8_t> ends_;  // whether there are any: asked for each byte
};

}  // namespace aa
