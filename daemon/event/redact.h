// event/redact.h: takes out of an event what its target's level forbids, before anything can store it.
//
// Comes in: decoded events, each stream's in its order. Goes out: the same, with secrets replaced. A TLS stream is cut
// anew: what cannot be decided yet is told with the stream's next bytes, or when it ends, or when nothing came for a
// while. Where bytes are coded (HTTP/2, gzip, WebSocket frames) the text that they hold is told in their place. The
// arguments of programs are looked through too, whatever the level. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "event/event.h"
#include "event/stream_reader.h"

namespace aa {

struct Undecided {
  std::uint64_t bytes = 0;
  std::uint64_t first_boot_ns = 0;  // of the calls they came with; 0 when there are none
  std::uint64_t last_boot_ns = 0;
};

class Redactor {
 public:
  using Give = std::function<void(Event)>;
  // How long undecided bytes wait for those that decide.
  static constexpr std::uint64_t kPatienceNs = 250'000'000;
  static constexpr std::size_t kMostStreams = 32'768;

  // Beyond `most_streams` the one least recently used is told to its end, as if its connection had ended: what comes of
  // it later was met in the middle.
  explicit Redactor(std::size_t most_streams = kMostStreams) : most_streams_(most_streams) {}

  void take(Event event, const Give& give);

  // A process has ended, and all its records were taken.
  void end(const ProcessId& process, const Give& give);
  // Nothing comes any more, of anybody.
  void end_all(const Give& give);
  // Tells what has been held for too long. When it wants to be called next; nullopt: nothing is held.
  void on_time(std::uint64_t now_boot_ns, const Give& give);
  std::optional<std::uint64_t> next_deadline() const;
  // What came and is not told yet: lost when this process dies.
  Undecided undecided() const;

 private:
  using Key = std::tuple<ProcessId, std::uint32_t, TlsDirection>;
  struct Stream {
    StreamReader reader;
    std::uint64_t next = 0;   // offset of the next byte that comes
    std::uint64_t shown = 0;  // of the first byte not told yet
    Event last = {};          // whose bytes are held, without them
    bool holds = false;       // it has a place in held_, as of
    std::uint64_t held_ns = 0;
    std::uint64_t held_bytes = 0;
    std::list<Key>::iterator used = {};  // its place in by_use_
  };
  using Streams = std::map<Key, Stream>;
  using Place = Streams::iterator;
  void take_tls(Event event, const Give& give);
  Place stream_of(const Key& key, const TlsBody& body, const Give& give);
  Place begin(const Key& key, const TlsBody& body, const Give& give);
  static void add_missing(std::vector<Piece>& pieces, std::uint64_t missing, Withheld why);
  static void tell(Stream& stream, std::vector<Piece> pieces, const Give& give);
  void flush(Place place, const Give& give);
  void end(Place place, const Give& give);
  void note_held(Place place);
  void forget_held(Place place);
  void close(const ProcessId& process, std::uint32_t connection, const Give& give);

  Budget budget_ = std::make_shared<ReaderBudget>();
  std::size_t most_streams_;
  Streams streams_;
  std::list<Key> by_use_;                         // the least recently used first
  std::set<std::pair<std::uint64_t, Key>> held_;  // streams that hold bytes, by the time of the last ones
  std::uint64_t held_bytes_ = 0;
};

// Paths of a file event that are, or may be, no more than the string its program passed. Not before they were judged: a
// rule must see them whole.
void redact_paths(Event& event);

// A program's arguments, each without its secrets.
void redact_arguments(std::vector<std::string>& argv);

}  // namespace aa
