#include "services/router/discovery/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/temp_folder.h"
#include "services/router/testing/fake_encoder.h"

namespace terminus::services::router::discovery {
namespace {

using ::testing::ElementsAre;
using testing::FakeEncoder;
using ::testing::HasSubstr;
using ::testing::Pair;

class DiscoveryTest : public ::testing::Test {
 protected:
  std::string Address(const std::string& name) const {
    return "unix:" + folder_ + "/" + name + ".sock";
  }

  DiscoveryOptions Options(std::vector<std::string> text, std::vector<std::string> vision = {}) {
    DiscoveryOptions options;
    options.services.push_back({"text", v1::MODALITY_TEXT, std::move(text), &text_});
    if (!vision.empty()) {
      options.services.push_back({"vision", v1::MODALITY_IMAGE, std::move(vision), &vision_});
    }
    options.interval = absl::Milliseconds(10);
    return options;
  }

  using States = std::vector<std::pair<std::string, v1::ReplicaState>>;
  static States StatesOf(const Discovery& discovery) {
    States states;
    for (const v1::ReplicaStatus& replica : discovery.replicas()) {
      states.emplace_back(replica.address(), replica.state());
    }
    return states;
  }

  // Polls, since states come by themselves; bounded.
  template <typename Matcher>
  void ExpectSoon(const Discovery& discovery, const Matcher& matcher) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!::testing::Matches(matcher)(StatesOf(discovery)) && absl::Now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_THAT(StatesOf(discovery), matcher);
  }

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
  metrics::Registry registry_{"test"};
  dispatch::Pool text_{{.service = "text"}, dispatch::PoolMetrics(registry_, "text")};
  dispatch::Pool vision_{{.service = "vision"}, dispatch::PoolMetrics(registry_, "vision")};
  Catalog catalog_;
};

TEST_F(DiscoveryTest, AddressesBehindANameComeAndGo) {
  FakeEncoder a(Address("a"), {});
  FakeEncoder b(Address("b"), {});
  base::Mutex mutex;
  std::vector<std::string> known = {Address("a")};
  DiscoveryOptions options = Options({"dns:///text:8501"});
  options.resolve_interval = absl::Milliseconds(1);
  options.resolve = [&](const std::string& target) -> absl::StatusOr<std::vector<std::string>> {
    EXPECT_EQ(target, "dns:///text:8501");
    base::MutexLock lock(mutex);
    if (known.empty()) {
      return absl::UnavailableError("the resolver is away");
    }
    return known;
  };
  const auto know = [&](std::vector<std::string> addresses) {
    base::MutexLock lock(mutex);
    known = std::move(addresses);
  };
  const auto ready = [](const std::string& address) {
    return Pair(address, v1::REPLICA_STATE_READY);
  };
  Discovery discovery(options, &catalog_);
  ExpectSoon(discovery, ElementsAre(ready(Address("a"))));
  know({Address("a"), Address("b")});
  ExpectSoon(discovery, ElementsAre(ready(Address("a")), ready(Address("b"))));
  EXPECT_NE(text_.load(Address("a")), std::nullopt);
  know({Address("b")});
  ExpectSoon(discovery, ElementsAre(ready(Address("b"))));
  EXPECT_EQ(text_.load(Address("a")), std::nullopt);
  // What is known stays while the resolver fails.
  know({});
  ExpectSoon(discovery, ElementsAre(ready(Address("b"))));
  EXPECT_TRUE(discovery.ready());
}

TEST_F(DiscoveryTest, TextOutvotesVision) {
  FakeEncoder vision(Address("vision"), {.modality = v1::MODALITY_IMAGE, .space_id = "old"});
  Discovery discovery(Options({Address("text")}, {Address("vision")}), &catalog_);
  const auto text_is = [&](v1::ReplicaState state) { return Pair(Address("text"), state); };
  const auto vision_is = [&](v1::ReplicaState state) { return Pair(Address("vision"), state); };
  ExpectSoon(discovery, ElementsAre(text_is(v1::REPLICA_STATE_CONNECTING),
                                    vision_is(v1::REPLICA_STATE_READY)));
  EXPECT_EQ(catalog_.model()->space_id, "old");
  FakeEncoder text(Address("text"), {.space_id = "new"});
  ExpectSoon(discovery,
             ElementsAre(text_is(v1::REPLICA_STATE_READY), vision_is(v1::REPLICA_STATE_REFUSED)));
  EXPECT_EQ(catalog_.model()->space_id, "new");
  EXPECT_EQ(vision_.load(Address("vision")), std::nullopt);
  EXPECT_THAT(discovery.replicas()[1].detail(), HasSubstr("old"));
}

TEST_F(DiscoveryTest, NotAnEncoderOfThatKind) {
  FakeEncoder vision(Address("text"), {.modality = v1::MODALITY_IMAGE});
  Discovery discovery(Options({Address("text")}), &catalog_);
  ExpectSoon(discovery, ElementsAre(Pair(Address("text"), v1::REPLICA_STATE_REFUSED)));
  EXPECT_EQ(catalog_.model(), nullptr);
}

TEST_F(DiscoveryTest, EndsWhileReplicasAreMissing) {
  Discovery discovery(Options({Address("nobody")}), &catalog_);
  ExpectSoon(discovery, ElementsAre(Pair(Address("nobody"), v1::REPLICA_STATE_CONNECTING)));
  EXPECT_FALSE(discovery.ready());
}

}  // namespace
}  // namespace terminus::services::router::discovery
