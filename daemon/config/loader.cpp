#include "config/loader.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace aa {
namespace {

void ring(int fd) {
  const std::uint64_t one = 1;
  (void)!::write(fd, &one, sizeof(one));
}

}  // namespace

Result<std::unique_ptr<ConfigLoader>> ConfigLoader::make() {
  UniqueFd done(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done) return Error{"make an event descriptor", errno, ""};
  return std::unique_ptr<ConfigLoader>(new ConfigLoader(std::move(done)));
}

void ConfigLoader::load(const Request& request) try {
  loaded_ = std::async(std::launch::async, [request, done = done_.get()] {
    Loaded loaded = load_config(request);
    ring(done);
    return loaded;
  });
} catch (const std::system_error&) {
  std::promise<Loaded> refused;
  refused.set_value(std::vector{Problem{request.file, 0, 0, "", "cannot be read: there is no room for a thread"}});
  loaded_ = refused.get_future();
  ring(done_.get());
}

int ConfigLoader::fd() const {
  return done_.get();
}

std::optional<Loaded> ConfigLoader::take() {
  std::uint64_t count = 0;
  if (::read(done_.get(), &count, sizeof(count)) != sizeof(count)) return std::nullopt;
  return loaded_.get();  // it rang: no wait worth the name
}

}  // namespace aa
