// probe/tls_detacher.h: takes the TLS family's programs away from where they were put.
//
// Comes in: links. Goes out: when nobody runs into them any more. The kernel takes 10 ms to some seconds for that: a
// thread of its own waits for it, not the loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "probe/tls_attacher.h"

namespace aa {

class TlsDetacher {
 public:
  using Done = std::shared_ptr<const std::atomic<bool>>;

  TlsDetacher();
  ~TlsDetacher();  // returns when everything is detached

  // Done is true once all of them are.
  Done detach(std::vector<TlsLinks> links);

 private:
  struct Task {
    std::vector<TlsLinks> links;
    std::shared_ptr<std::atomic<bool>> done;
  };
  static void close(std::vector<Task>& tasks);
  void run();

  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Task> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace aa
