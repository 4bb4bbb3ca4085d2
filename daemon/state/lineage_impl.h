// state/lineage_impl.h: what lineage.cpp and lineage_links.cpp share: an index by id, an index by pid, and a tree of
// intrusive links between them. Private to this room.
#pragma once

#include <unordered_map>
#include <utility>

#include "state/lineage.h"

namespace aa {

struct ProcessIdHash {
  std::size_t operator()(const ProcessId& id) const noexcept {
    return (id.start_ns ^ (std::uint64_t{id.pid} << 40)) * 0x9e37'79b9'7f4a'7c15u >> 7;
  }
};

// A node is *held* while its process lives or any node below it is held: held nodes are never forgotten. The others
// stand in a queue in the order in which they were let go. Each change walks up only as far as the answer changes.
struct LineageNode {
  Process process;
  LineageNode* parent = nullptr;  // null: none, or waiting for it
  LineageNode* first_child = nullptr;
  LineageNode* next_sibling = nullptr;
  LineageNode* prev_sibling = nullptr;
  LineageNode* older_holder = nullptr;  // of the same pid
  LineageNode* next_free = nullptr;
  LineageNode* prev_free = nullptr;
  std::uint64_t free_since_ns = 0;
  std::uint32_t held_children = 0;
  bool queued = false;

  bool held() const { return process.alive() || held_children > 0; }
};

inline bool starts_before(const Process* a, const Process* b) {
  return std::pair(a->id.start_ns, a->id.pid) < std::pair(b->id.start_ns, b->id.pid);
}

struct Lineage::Impl {
  explicit Impl(Limits l) : limits(l) {}

  Limits limits;
  std::unordered_map<ProcessId, LineageNode, ProcessIdHash> nodes;
  std::unordered_map<ProcessId, LineageNode*, ProcessIdHash>
      waiting;                                              // first child by the id of a parent that is not known
  std::unordered_map<std::uint32_t, LineageNode*> holders;  // youngest process by pid; older ones hang behind it
  LineageNode* free_first = nullptr;
  LineageNode* free_last = nullptr;
  std::size_t free_count = 0;
  std::size_t living = 0;

  LineageNode* find(const ProcessId& id) {
    const auto it = nodes.find(id);
    return it == nodes.end() ? nullptr : &it->second;
  }

  void enqueue(LineageNode& node, std::uint64_t since_ns);
  void dequeue(LineageNode& node);
  void now_held(LineageNode& node);
  void no_longer_held(LineageNode& node, std::uint64_t since_ns);
  void attach(LineageNode& node);
  void detach(LineageNode& node);
  void take_waiting(LineageNode& node);
  void take_pid(LineageNode& node);
  void leave_pid(LineageNode& node);
  void end(LineageNode& node, std::int32_t status, std::uint64_t boot_ns);
  void learn_parent(LineageNode& node, const Process& seen);
  void forget(LineageNode& node);
};

}  // namespace aa
