#include "state/exec_notes.h"

namespace aa {

void ExecNotes::add(ExecNote note) {
  const Key key{note.process, note.image};
  if (notes_.contains(key)) return;
  if (order_.size() >= kMost) forget_oldest();
  for (const std::uint64_t pipe : {note.stdin_pipe, note.stdout_pipe}) {
    if (pipe != 0) ++pipes_[pipe].ends;
  }
  if (note.stdin_pipe != 0) {
    std::vector<Key>& readers = pipes_[note.stdin_pipe].readers;
    if (readers.size() >= kMostReaders) readers.erase(readers.begin());
    readers.push_back(key);
  }
  notes_.emplace(key, std::move(note));
  order_.push_back(key);
}

ExecNote* ExecNotes::find(const ProcessId& process, std::uint32_t image) {
  const auto found = notes_.find({process, image});
  return found == notes_.end() ? nullptr : &found->second;
}

Families ExecNotes::carried(std::uint64_t pipe) const {
  const auto found = pipes_.find(pipe);
  return found == pipes_.end() ? 0 : found->second.carried;
}

std::vector<ExecNotes::Key> ExecNotes::carry(std::uint64_t pipe, Families families) {
  const auto found = pipes_.find(pipe);
  if (found == pipes_.end() || (families & ~found->second.carried) == 0) return {};
  found->second.carried |= families;
  return found->second.readers;
}

void ExecNotes::drop_texts() {
  for (auto& [key, note] : notes_) note.text.reset();
}

void ExecNotes::forget_oldest() {
  const Key key = order_.front();
  order_.pop_front();
  const auto found = notes_.find(key);
  for (const std::uint64_t pipe : {found->second.stdin_pipe, found->second.stdout_pipe}) let_go(pipe, key);
  notes_.erase(found);
}

void ExecNotes::let_go(std::uint64_t pipe, const Key& key) {
  const auto found = pipes_.find(pipe);
  if (found == pipes_.end()) return;
  std::erase(found->second.readers, key);
  if (--found->second.ends == 0) pipes_.erase(found);
}

}  // namespace aa
