#include "sink/subscribers.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "event/json.h"

namespace aa {
namespace {

constexpr int kPipeBytes = 1 << 20;  // fewer turns for a reader that follows; the kernel's limit for the unprivileged
constexpr std::size_t kLinesPerWrite = 64;

}  // namespace

Subscribers::~Subscribers() {
  for (const auto& [fd, reader] : readers_) loop_.remove(fd);
}

Result<UniqueFd> Subscribers::add(StreamFilter filter, Allowed allowed) {
  if (readers_.size() >= kMax)
    return Error{"subscribe", EUSERS, "there are " + std::to_string(kMax) + " subscribers already: close one"};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error{"make a subscriber's pipe", errno, ""};
  UniqueFd read_end(ends[0]);
  auto reader = std::make_unique<Reader>();
  reader->filter = std::move(filter);
  reader->allowed = std::move(allowed);
  reader->pipe.reset(ends[1]);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);  // ours alone: the reader's end blocks or not as it likes
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  const int fd = ends[1];
  Status added = loop_.add(fd, 0, [this, fd](std::uint32_t events) { ready(fd, events); });  // EPOLLERR comes unasked
  if (!added) return added.error();
  readers_.emplace(fd, std::move(reader));
  return read_end;
}

void Subscribers::take(const Event& event, const Line& line) {
  for (auto& [fd, reader] : readers_)
    if (reader->filter.passes(event)) push(*reader, event, line);
}

void Subscribers::push(Reader& reader, const Event& event, const Line& line) {
  const bool full = reader.queued_bytes + line->size() > kQueueBytes;
  if (full || (reader.loss.count > 0 && reader.queued_bytes > kQueueBytes / 2)) {  // no flapping at the brim
    reader.loss.add(1, event.boot_ns, event.boot_ns);
    reader.loss_seq = event.seq;
    reader.loss_wall_ns = event.wall_ns;
    ++counts_.lost;
    return;
  }
  tell_loss(reader);
  reader.queue.push_back({line});
  reader.queued_bytes += line->size();
}

void Subscribers::tell_loss(Reader& reader) {
  if (reader.loss.count == 0) return;
  Event event;
  event.seq = reader.loss_seq;  // the last one that is missing
  event.boot_ns = reader.loss.last_boot_ns;
  event.wall_ns = reader.loss_wall_ns;
  event.body = reader.loss;
  auto text = std::make_shared<std::string>(to_json(event));
  text->push_back('\n');
  reader.queued_bytes += text->size();
  reader.queue.push_back({std::move(text), false});
  reader.loss.count = 0;
}

bool Subscribers::write_some(Reader& reader) {
  if (reader.queued_bytes <= kQueueBytes / 2) tell_loss(reader);
  while (!reader.queue.empty()) {
    std::array<iovec, kLinesPerWrite> parts{};
    const std::size_t count = std::min(reader.queue.size(), kLinesPerWrite);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t skip = i == 0 ? reader.written_of_first : 0;
      parts[i] = {const_cast<char*>(reader.queue[i].line->data()) + skip, reader.queue[i].line->size() - skip};
    }
    ssize_t length = ::writev(reader.pipe.get(), parts.data(), static_cast<int>(count));
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    while (length > 0) {
      const std::size_t left = reader.queue.front().line->size() - reader.written_of_first;
      if (static_cast<std::size_t>(length) < left) {
        reader.written_of_first += static_cast<std::size_t>(length);
        break;
      }
      length -= static_cast<ssize_t>(left);
      reader.queued_bytes -= reader.queue.front().line->size();
      if (reader.queue.front().is_event) ++counts_.delivered;
      reader.queue.pop_front();
      reader.written_of_first = 0;
    }
  }
  return true;
}

void Subscribers::flush() {
  std::vector<int> gone;
  for (auto& [fd, reader] : readers_) {
    if (!write_some(*reader)) {
      gone.push_back(fd);
      continue;
    }
    const bool waits = !reader->queue.empty();
    if (waits != reader->waits_for_room) loop_.modify(fd, waits ? std::uint32_t{EPOLLOUT} : 0u);
    reader->waits_for_room = waits;
  }
  for (const int fd : gone) forget(fd);
}

std::size_t Subscribers::end_forbidden() {
  std::vector<int> forbidden;
  for (const auto& [fd, reader] : readers_)
    if (!reader->allowed()) forbidden.push_back(fd);
  for (const int fd : forbidden) forget(fd);
  return forbidden.size();
}

void Subscribers::ready(int fd, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    forget(fd);
    return;
  }
  flush();
}

void Subscribers::forget(int fd) {
  loop_.remove(fd);
  readers_.erase(fd);
}

}  // namespace aa
