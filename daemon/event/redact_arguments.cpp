// event/redact_arguments.cpp: a program's arguments, each without its secrets.
//
// Comes in: arguments as a program was given them. Goes out: as many, as long. An option says what the argument behind
// it is, or what it holds behind its '='; what no option asks for is looked through, and so are the commands in it when
// it may be a script. Knows options that many programs have, and curl's and wget's.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "event/redact.h"
#include "event/secret_scanner.h"
#include "event/shell_words.h"

namespace aa {
namespace {

enum class How : std::uint8_t {
  script,       // may be run: looked through, and values end with their words
  header,       // looked through, and values end with it
  secret,       // all of it
  credentials,  // what is behind the first colon
  cookie,       // values, up to the next semicolon
  part,         // of a form: all behind the '=' of a secret's name
};
enum class Program : std::uint8_t { other, shell, curl, wget };

constexpr std::array<std::string_view, 7> kShells = {"sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"};
constexpr std::array<std::string_view, 4> kHeaderOptions = {"-H", "--header", "-b", "--proxy-header"};
constexpr std::array<std::string_view, 3> kPartOptions = {"--form", "--form-string", "--data-urlencode"};
constexpr std::array<std::string_view, 7> kSecretOptions = {"--pass",   "--proxy-pass", "-password", "-passin",
                                                            "-passout", "-storepass",   "-keypass"};
// Also behind other words: "--admin-password"; but not behind those that say what to do about it: "--ask-password".
constexpr std::array<std::string_view, 9> kSecretNames = {"authorization", "password", "passwd", "passphrase", "token",
                                                          "api-key",       "apikey",   "secret", "bearer"};
constexpr std::array<std::string_view, 10> kDeeds = {"ask",    "create", "get",    "no",   "print",
                                                     "prompt", "reset",  "rotate", "show", "use"};
constexpr std::string_view kCurlTakes = "AbcCdDeEFHKmoPQrtTuUwxXyYz";  // the rest of the argument, or the next

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Program program_of(std::string_view argument) {
  const std::string_view name = last_component(argument);
  if (name == "curl") return Program::curl;
  if (name == "wget") return Program::wget;
  return is_one_of(kShells, name.substr(name.starts_with('-') ? 1 : 0)) ? Program::shell : Program::other;
}

bool asks_for_secret(std::string_view option) {
  std::string name = lowered(option);
  std::replace(name.begin(), name.end(), '_', '-');
  if (is_one_of(kSecretOptions, name)) return true;
  if (!name.starts_with("--") || is_one_of(kDeeds, std::string_view(name).substr(2, name.find('-', 2) - 2)))
    return false;
  return std::ranges::any_of(kSecretNames,
                             [&name](std::string_view secret) { return name.ends_with("-" + std::string(secret)); });
}

How how_of(std::string_view option, Program program) {
  const bool transfers = program == Program::curl || program == Program::wget;
  if (is_one_of(kHeaderOptions, option)) return How::header;
  if (option == "--cookie") return How::cookie;
  if (transfers && (option == "--user" || option == "--proxy-user")) return How::credentials;
  if (program == Program::curl && is_one_of(kPartOptions, option)) return How::part;
  // What a shell is given may be run, whatever stands before it.
  return program != Program::shell && asks_for_secret(option) ? How::secret : How::script;
}

struct Asked {
  How how = How::script;
  std::size_t at = std::string::npos;  // where its value begins; npos: it is the next argument
};

// "-sSu", "-uname:password": letters, the first of which that takes something takes the rest.
Asked asked_by_letters(std::string_view argument) {
  const std::size_t letter = argument.find_first_of(kCurlTakes, 1);
  if (letter == std::string_view::npos) return {};
  const std::size_t at = letter + 1 < argument.size() ? letter + 1 : std::string::npos;
  const char option = argument[letter];
  if (option == 'u' || option == 'U') return {How::credentials, at};
  if (option == 'b') return {How::cookie, at};
  if (option == 'F') return {How::part, at};
  return {option == 'H' ? How::header : How::script, at};
}

Asked asked_by(std::string_view argument, Program program) {
  if (argument.size() < 2 || argument[0] != '-') return {};
  if (program == Program::curl && argument[1] != '-') return asked_by_letters(argument);
  const std::size_t equals = argument.find('=');
  const How how = how_of(argument.substr(0, equals), program);
  return {how, equals == std::string_view::npos ? equals : equals + 1};
}

bool looks_like_option(std::string_view argument) {
  const auto is_letter = [](char character) { return character >= 'a' && character <= 'z'; };
  if (argument.size() == 2 && argument[0] == '-') return is_letter(argument[1]);
  if (!argument.starts_with("--") || argument.size() < 4) return false;
  const std::string_view name = argument.substr(2, argument.find('=') - 2);
  return std::ranges::all_of(name, [&](char character) { return is_letter(character) || character == '-'; });
}

std::string redacted_cookie(std::string cookie) {
  bool is_value = false;
  for (char& character : cookie) {
    if (character == ';') is_value = false;
    const bool begins = character == '=' && !is_value;
    if (is_value) character = '*';
    is_value = is_value || begins;
  }
  return cookie;
}

// What a shell would put something else in the place of: that may be a command, which must stay to be seen.
bool is_expanded(std::string_view value) {
  return value.find("$(") != std::string_view::npos || value.find('`') != std::string_view::npos;
}

// "NAME=VALUE", with a secret's name, and a value that is long enough for one: where it begins; npos: it is none.
std::size_t secret_value_in(std::string_view word) {
  constexpr std::string_view kSample = "Xk7hunter2Qz9vLm4p";
  const auto joins = [](char character) {
    return std::string_view("_.-[]").find(character) != std::string_view::npos || is_digit(character) ||
           ((character | 0x20) >= 'a' && (character | 0x20) <= 'z');
  };
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || !std::ranges::all_of(word.substr(0, equals), joins)) return std::string::npos;
  const std::string sample =
      std::string(word.substr(0, equals + 1)).append(kSample.substr(0, word.size() - equals - 1));
  return without_secrets(sample, SecretText::script).ends_with('*') ? equals + 1 : std::string::npos;
}

std::string redacted(const std::string& text, How how) {
  const std::size_t colon = text.find(':');
  switch (how) {
    case How::script:
      break;
    case How::header:
      return without_secrets(text, SecretText::header);
    case How::secret:
      if (text.starts_with("id=")) break;  // docker build --secret: where it is
      return std::string(text.size(), '*');
    case How::credentials:
      if (colon == std::string::npos) break;
      return without_secrets(text.substr(0, colon + 1), SecretText::script) + std::string(text.size() - colon - 1, '*');
    case How::cookie:
      if (text.find('=') == std::string::npos) break;  // a file
      return redacted_cookie(text);
    case How::part:
      if (const std::size_t value = secret_value_in(text); value != std::string::npos)
        return text.substr(0, value) + std::string(text.size() - value, '*');
  }
  return without_secrets(text, SecretText::script);
}

// Of a word that a shell has put together, all of its value is secret, whatever quotes were in it. What a shell may yet
// run stays to be seen, and so does what a form holds beside it.
void redact_assigned(std::string& word, const std::string& redacted, Program program, bool is_of_script) {
  const std::size_t begin = secret_value_in(word);
  const bool may_be_script =
      program == Program::shell && !is_of_script && word.find_first_of(" \t\n;|&<>()") != word.npos;
  const bool may_be_form = program == Program::curl || program == Program::wget;
  const bool is_whole = begin != std::string::npos && !may_be_script && !may_be_form && !is_expanded(word);
  word = is_whole ? word.substr(0, begin) + std::string(word.size() - begin, '*') : redacted;
}

// Scripts within scripts are looked into so far.
constexpr int kMostScripts = 4;

void redact_words(std::vector<std::string>& words, int script);

// The commands in a text, which keeps its length and all that is no secret.
void redact_commands(std::string& text, int script) {
  const auto has_option = [&text](char blank) { return text.find(std::string{blank, '-'}) != std::string::npos; };
  const bool may_hold =
      text.find('=') != std::string::npos || std::ranges::any_of(std::string_view(" \t\n"), has_option);
  if (script > kMostScripts || !may_hold) return;
  for (const ShellCommand& command : shell_commands(text)) {
    std::vector<std::string> words;
    for (const ShellWord& word : command) words.push_back(word.text);
    redact_words(words, script);
    for (std::size_t i = 0; i < words.size(); ++i)
      for (std::size_t byte = 0; byte < words[i].size(); ++byte)
        if (words[i][byte] == '*') text[command[i].at[byte]] = '*';
  }
}

// What an option asks for. Of a form's part the value may be commands.
std::string redacted_value(const std::string& text, How how, int script) {
  std::string shown = redacted(text, how);
  if (how != How::part) return shown;
  const std::size_t value = text.find('=') + 1;
  std::string commands = shown.substr(value);
  redact_commands(commands, script + 1);
  return shown.replace(value, std::string::npos, commands);
}

void redact_words(std::vector<std::string>& words, int script) {
  Program program = Program::other;  // also of what sudo, env or xargs is told to run
  How next = How::script;
  for (std::string& word : words) {
    const bool may_run = script > 0 && is_expanded(word);
    const bool is_no_value = may_run || (next == How::secret && looks_like_option(word));
    const How how = is_no_value ? How::script : next;
    next = How::script;
    if (how != How::script) {
      word = redacted_value(word, how, script);
      continue;
    }
    const Program named = program_of(word);
    const bool is_named = named == Program::curl || named == Program::wget || &word == &words.front();
    if (is_named) program = named;
    const Asked asked = asked_by(word, program);
    if (asked.at == std::string::npos) next = asked.how;
    if (asked.at == std::string::npos || asked.how == How::script || may_run) {
      std::string shown = redacted(word, How::script);
      redact_commands(shown, script + 1);
      redact_assigned(word, shown, program, script > 0);
    } else {
      word = word.substr(0, asked.at) + redacted_value(word.substr(asked.at), asked.how, script);
    }
  }
}

}  // namespace

void redact_arguments(std::vector<std::string>& argv) {
  redact_words(argv, 0);
}

}  // namespace aa
