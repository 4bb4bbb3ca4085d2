// state/lineage_links.cpp: keeps the tree, the pid chains and the queue of forgettable processes true.
//
// Comes in: processes in any order, children before their parents too. A process whose parent is not known (yet) waits
// under the parent's id and is linked when the parent comes.
#include <utility>

#include "state/lineage_impl.h"

namespace aa {

void Lineage::Impl::enqueue(LineageNode& node, std::uint64_t since_ns) {
  node.free_since_ns = since_ns;
  node.prev_free = free_last;
  node.next_free = nullptr;
  (free_last == nullptr ? free_first : free_last->next_free) = &node;
  free_last = &node;
  node.queued = true;
  ++free_count;
}

void Lineage::Impl::dequeue(LineageNode& node) {
  if (!node.queued) return;
  (node.prev_free == nullptr ? free_first : node.prev_free->next_free) = node.next_free;
  (node.next_free == nullptr ? free_last : node.next_free->prev_free) = node.prev_free;
  node.queued = false;
  --free_count;
}

void Lineage::Impl::now_held(LineageNode& node) {
  for (LineageNode* at = &node; at != nullptr; at = at->parent) {
    dequeue(*at);
    if (at->parent == nullptr) return;
    const bool was_held = at->parent->held();
    ++at->parent->held_children;
    if (was_held) return;
  }
}

void Lineage::Impl::no_longer_held(LineageNode& node, std::uint64_t since_ns) {
  for (LineageNode* at = &node; at != nullptr; at = at->parent) {
    enqueue(*at, since_ns);
    if (at->parent == nullptr) return;
    --at->parent->held_children;
    if (at->parent->held()) return;
  }
}

// Links the node below its parent, or lets it wait. Refuses a link that would close a circle, which only a wrong record
// could ask for: such a node stays without a known parent.
void Lineage::Impl::attach(LineageNode& node) {
  const ProcessId& id = node.process.parent;
  if (!id) return;
  LineageNode* parent = find(id);
  for (const LineageNode* up = parent; up != nullptr && (node.first_child != nullptr || up == &node); up = up->parent) {
    if (up == &node) {
      node.process.parent = {};
      return;
    }
  }
  LineageNode*& first = parent != nullptr ? parent->first_child : waiting[id];
  node.prev_sibling = nullptr;
  node.next_sibling = first;
  if (first != nullptr) first->prev_sibling = &node;
  first = &node;
  node.parent = parent;
  if (parent == nullptr || !node.held()) return;
  const bool was_held = parent->held();
  ++parent->held_children;
  if (!was_held) now_held(*parent);
}

void Lineage::Impl::detach(LineageNode& node) {
  if (!node.process.parent) return;
  if (node.next_sibling != nullptr) node.next_sibling->prev_sibling = node.prev_sibling;
  if (node.prev_sibling != nullptr) {
    node.prev_sibling->next_sibling = node.next_sibling;
  } else if (node.parent != nullptr) {
    node.parent->first_child = node.next_sibling;
  } else if (node.next_sibling != nullptr) {
    waiting[node.process.parent] = node.next_sibling;
  } else {
    waiting.erase(node.process.parent);
  }
  node.next_sibling = node.prev_sibling = nullptr;
  LineageNode* parent = std::exchange(node.parent, nullptr);
  if (parent == nullptr || !node.held()) return;
  --parent->held_children;
  if (!parent->held()) no_longer_held(*parent, parent->process.exit_ns);
}

void Lineage::Impl::take_waiting(LineageNode& node) {
  const auto it = waiting.find(node.process.id);
  if (it == waiting.end()) return;
  LineageNode* child = it->second;
  waiting.erase(it);
  while (child != nullptr) {
    LineageNode* next = child->next_sibling;
    child->next_sibling = child->prev_sibling = nullptr;
    attach(*child);
    child = next;
  }
}

// Two processes cannot hold one pid: the older one has ended, whether somebody saw it or not.
void Lineage::Impl::take_pid(LineageNode& node) {
  LineageNode** place = &holders[node.process.id.pid];
  LineageNode* younger = nullptr;
  while (*place != nullptr && starts_before(&node.process, &(*place)->process)) {
    younger = *place;
    place = &younger->older_holder;
  }
  LineageNode* older = *place;
  node.older_holder = older;
  *place = &node;
  if (older != nullptr && older->process.alive()) end(*older, kExitLost, node.process.id.start_ns);
  if (younger != nullptr && node.process.alive()) {
    node.process.exit = kExitLost;
    node.process.exit_ns = younger->process.id.start_ns;
  }
}

void Lineage::Impl::leave_pid(LineageNode& node) {
  const auto it = holders.find(node.process.id.pid);
  LineageNode** place = &it->second;
  while (*place != &node) place = &(*place)->older_holder;
  *place = node.older_holder;
  if (it->second == nullptr) holders.erase(it);
}

void Lineage::Impl::end(LineageNode& node, std::int32_t status, std::uint64_t boot_ns) {
  Process& process = node.process;
  if (!process.alive()) {
    if (process.exit == kExitLost && status != kExitLost) {
      process.exit = status;
      process.exit_ns = boot_ns;
    }
    return;
  }
  process.exit = status;
  process.exit_ns = boot_ns;
  --living;
  if (node.held_children == 0) no_longer_held(node, boot_ns);
}

// A birth parent never changes; a current parent gives way to it.
void Lineage::Impl::learn_parent(LineageNode& node, const Process& seen) {
  const Process& known = node.process;
  if (!seen.parent) return;
  const bool better = seen.parent_source == ParentSource::birth && known.parent_source == ParentSource::current;
  if (known.parent && !better) return;
  if (known.parent != seen.parent) {
    detach(node);
    node.process.parent = seen.parent;
    attach(node);
  }
  node.process.parent_source = seen.parent_source;
}

void Lineage::Impl::forget(LineageNode& node) {
  detach(node);
  dequeue(node);
  leave_pid(node);
  if (node.process.alive()) --living;
  const ProcessId id = node.process.id;
  if (node.first_child != nullptr) {
    for (LineageNode* child = node.first_child; child != nullptr; child = child->next_sibling) child->parent = nullptr;
    waiting[id] = node.first_child;
  }
  nodes.erase(id);
}

}  // namespace aa
