// The conformance suite for the back ends in host memory.

#include "common/collective/conformance_test.h"
#include "common/collective/factory.h"
#include "common/collective/socket/testing.h"

namespace terminus::collective::conformance {
namespace {

BackEnd Loopback(int size) {
  return {.name = "Loopback",
          .size = size,
          .create = [size] { return CreateLoopback(size); },
          .elements = HostElements};
}

BackEnd Tcp(int size) {
  return {
      .name = "Tcp",
      .size = size,
      .create =
          [size] { return socket::CreateAll({.size = size, .address = socket::FreeTcpAddress()}); },
      .elements = HostElements};
}

BackEnd Unix(int size) {
  return {.name = "Unix",
          .size = size,
          .create =
              [size] {
                return socket::CreateAll({.size = size, .address = socket::FreeUnixAddress()});
              },
          .elements = HostElements};
}

std::vector<BackEnd> All() {
  std::vector<BackEnd> all;
  for (const auto& make : {Loopback, Tcp, Unix}) {
    for (const int size : {1, 2, 3, 4}) {
      all.push_back(make(size));
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Host, Communicators, testing::ValuesIn(All()), NameOf);

}  // namespace
}  // namespace terminus::collective::conformance
