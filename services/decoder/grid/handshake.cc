#include "services/decoder/grid/handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "services/decoder/grid/channel.h"

namespace terminus::services::decoder::grid {
namespace {

using collective::socket::Fd;
using nlohmann::json;

constexpr int kNonceBytes = 32;

std::string RandomHex() {
  unsigned char bytes[kNonceBytes];
  TERMINUS_CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof(bytes)});
}

// Each side proves with its own word, so that neither can send back what it was sent.
std::string Proof(const std::string& secret, const char* side, const std::string& front_nonce,
                  const std::string& rank_nonce, const std::string& body) {
  const std::string text =
      absl::StrCat("terminus grid 1\n", side, "\n", front_nonce, "\n", rank_nonce, "\n", body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TERMINUS_CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                      reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest,
                      &size) != nullptr);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

bool IsSame(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::StatusOr<Message> Expect(const Fd& fd, MessageType type, absl::Time deadline) {
  TERMINUS_ASSIGN_OR_RETURN(Message message, ReceiveMessage(fd, deadline));
  if (message.type == MessageType::kRefused) {
    return absl::FailedPreconditionError(absl::StrCat("the front refused: ", message.payload));
  }
  if (message.type != type) {
    return absl::FailedPreconditionError(absl::StrCat("message ", static_cast<int>(message.type),
                                                      " in the handshake, expected ",
                                                      static_cast<int>(type)));
  }
  return message;
}

// The fields of a message, or nothing for what is no object of strings and numbers.
absl::StatusOr<json> Parse(const Message& message) {
  json parsed = json::parse(message.payload, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return absl::FailedPreconditionError("a message of the handshake is not JSON");
  }
  return parsed;
}

template <class T>
T Field(const json& object, const char* name) {
  const auto found = object.find(name);
  try {
    return found == object.end() ? T() : found->get<T>();
  } catch (const json::exception&) {
    return T();
  }
}

json ToJson(const Terms& terms) {
  return {{"pipeline", terms.shape.pipeline},
          {"tensor", terms.shape.tensor},
          {"build", terms.build},
          {"plan_version", terms.plan_version},
          {"model", terms.model}};
}

// The first term in which both differ, as the rank is told it.
std::string Difference(const json& rank, const json& front) {
  for (const auto& [name, value] : front.items()) {
    if (!rank.contains(name) || rank[name] != value) {
      return absl::StrCat(name, " is ", rank.contains(name) ? rank[name].dump() : "missing",
                          ", the front has ", value.dump());
    }
  }
  return "";
}

absl::Status Refuse(const Fd& fd, const std::string& why, absl::Time deadline) {
  SendMessage(fd, {MessageType::kRefused, why}, deadline).IgnoreError();
  return absl::FailedPreconditionError(why);
}

}  // namespace

absl::StatusOr<int> ReceiveJoin(const Fd& fd, const std::string& secret, const Terms& terms,
                                const std::set<int>& taken, std::string* rank_nonce,
                                absl::Time deadline) {
  const std::string nonce = RandomHex();
  TERMINUS_RETURN_IF_ERROR(SendMessage(fd, {MessageType::kChallenge, nonce}, deadline));
  TERMINUS_ASSIGN_OR_RETURN(const Message message, Expect(fd, MessageType::kJoin, deadline));
  TERMINUS_ASSIGN_OR_RETURN(const json join, Parse(message));
  *rank_nonce = Field<std::string>(join, "nonce");
  const auto body = Field<std::string>(join, "body");
  if (!IsSame(Field<std::string>(join, "proof"), Proof(secret, "rank", nonce, *rank_nonce, body))) {
    return Refuse(fd, "the secret is wrong", deadline);
  }
  TERMINUS_ASSIGN_OR_RETURN(const json told, Parse({MessageType::kJoin, body}));
  const std::string difference = Difference(Field<json>(told, "terms"), ToJson(terms));
  if (!difference.empty()) {
    return Refuse(fd, difference, deadline);
  }
  const int rank = told.contains("rank") ? Field<int>(told, "rank") : -1;
  if (rank < 0 || rank >= terms.shape.world()) {
    return Refuse(fd, absl::StrCat("rank ", rank, ", expected 0 to ", terms.shape.world() - 1),
                  deadline);
  }
  if (taken.count(rank) > 0) {
    return Refuse(fd, absl::StrCat("rank ", rank, " has joined already"), deadline);
  }
  return rank;
}

absl::Status SendWelcome(const Fd& fd, const std::string& secret, const std::string& rank_nonce,
                         const Placement& placement, absl::Time deadline) {
  const std::string body = json{
      {"pipeline", placement.shape.pipeline},
      {"tensor", placement.shape.tensor},
      {"rank", placement.rank},
      {"layers", placement.layers},
      {"meeting", placement.meeting},
      {"job", placement.job}}.dump();
  const json welcome = {{"body", body}, {"proof", Proof(secret, "front", "", rank_nonce, body)}};
  return SendMessage(fd, {MessageType::kWelcome, welcome.dump()}, deadline);
}

absl::StatusOr<Placement> Join(const Fd& fd, const std::string& secret, int rank,
                               const Terms& terms, absl::Time deadline) {
  TERMINUS_ASSIGN_OR_RETURN(const Message challenge, Expect(fd, MessageType::kChallenge, deadline));
  const std::string nonce = RandomHex();
  const std::string body = json{{"rank", rank}, {"terms", ToJson(terms)}}.dump();
  const json join = {{"nonce", nonce},
                     {"body", body},
                     {"proof", Proof(secret, "rank", challenge.payload, nonce, body)}};
  TERMINUS_RETURN_IF_ERROR(SendMessage(fd, {MessageType::kJoin, join.dump()}, deadline));
  TERMINUS_ASSIGN_OR_RETURN(const Message answer, Expect(fd, MessageType::kWelcome, deadline));
  TERMINUS_ASSIGN_OR_RETURN(const json welcome, Parse(answer));
  const auto told = Field<std::string>(welcome, "body");
  if (!IsSame(Field<std::string>(welcome, "proof"), Proof(secret, "front", "", nonce, told))) {
    return absl::FailedPreconditionError("the front does not know the secret");
  }
  TERMINUS_ASSIGN_OR_RETURN(const json placed, Parse({MessageType::kWelcome, told}));
  return Placement{
      .shape = {.pipeline = Field<int>(placed, "pipeline"), .tensor = Field<int>(placed, "tensor")},
      .rank = Field<int>(placed, "rank"),
      .layers = Field<std::vector<int>>(placed, "layers"),
      .meeting = Field<std::string>(placed, "meeting"),
      .job = Field<std::string>(placed, "job")};
}

}  // namespace terminus::services::decoder::grid
