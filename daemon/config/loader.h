// config/loader.h: loads a configuration beside the loop, which goes on while files are read and judged.
//
// Comes in: a request. Goes out: what load_config says of it, once. Costs a thread while it loads.
#pragma once

#include <future>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/load.h"

namespace aa {

class ConfigLoader {
 public:
  static Result<std::unique_ptr<ConfigLoader>> make();

  void load(const Request& request);  // not before the last one was taken
  int fd() const;                     // readable when it is loaded
  std::optional<Loaded> take();       // does not wait; none: not yet

 private:
  explicit ConfigLoader(UniqueFd done) : done_(std::move(done)) {}

  UniqueFd done_;
  std::future<Loaded> loaded_;  // destroyed, it waits: seconds, where files do not answer
};

}  // namespace aa
