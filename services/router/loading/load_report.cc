#include "services/router/loading/load_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/router/discovery/space.h"

namespace terminus::services::router::loading {
namespace {

bool IsDecoder(const discovery::Host& host) { return host.service == "decoder"; }

// What both kinds of description have.
struct Identity {
  std::string space_id;
  uint32_t dimension = 0;
};

Identity IdentityOf(const discovery::Host& host, const v1::StageModelResponse& staged) {
  return IsDecoder(host) ? Identity{staged.decoder().space_id(), staged.decoder().dimension()}
                         : Identity{staged.encoder().space_id(), staged.encoder().dimension()};
}

// The services of the hosts, each once.
std::string ServicesOf(absl::Span<const discovery::Host> hosts) {
  std::vector<std::string> services;
  for (const discovery::Host& host : hosts) {
    if (std::find(services.begin(), services.end(), host.service) == services.end()) {
      services.push_back(host.service);
    }
  }
  return absl::StrJoin(services, ", ");
}

std::string At(const discovery::Host& host) {
  return absl::StrCat(host.service, " at ", host.address);
}

}  // namespace

void TakeStatuses(StageAnswers& answers) {
  for (auto& answer : answers) {
    if (answer.ok() && answer->status().code() != 0) {
      answer = rpc::FromProto(answer->status());
    }
  }
}

absl::Status StageStatus(absl::Span<const discovery::Host> hosts, const StageAnswers& answers,
                         absl::string_view stays) {
  absl::Status first;
  std::string text;
  std::vector<std::string> said;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (answers[i].ok()) {
      continue;
    }
    const absl::Status& status = answers[i].status();
    if (first.ok()) {
      first = status;
    }
    const std::string message(status.message());
    const bool known = std::find(said.begin(), said.end(), message) != said.end();
    said.push_back(message);
    absl::StrAppend(&text, "\n", At(hosts[i]), ": ", known ? "the same" : message);
  }
  if (first.ok()) {
    return first;
  }
  absl::Status status(first.code(), absl::StrCat("nothing was changed, ", stays, ":", text));
  base::Attach(status, base::Reason(first), base::Field(first));
  return status;
}

absl::Status Shorten(const absl::Status& status) {
  if (status.message().size() <= kMaxMessageBytes) {
    return status;
  }
  std::string text;
  size_t left_out = 0;
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    const bool room = left_out == 0 && text.size() + line.size() < kMaxMessageBytes - 100;
    if (room) {
      absl::StrAppend(&text, text.empty() ? "" : "\n", line);
    } else {
      ++left_out;
    }
  }
  absl::StrAppend(&text, "\n… and ", left_out, " more lines: the router's log has them all");
  absl::Status cut(status.code(), text);
  base::Attach(cut, base::Reason(status), base::Field(status));
  return cut;
}

absl::StatusOr<dispatch::ServedModel> Combine(absl::Span<const discovery::Host> hosts,
                                              const StageAnswers& answers) {
  dispatch::ServedModel model;
  const discovery::Host* first = nullptr;
  Identity identity;
  std::string decoder_name;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const v1::StageModelResponse& staged = *answers[i];
    if (staged.absent()) {
      if (model.Takes(hosts[i].modality)) {
        model.lacks.push_back(hosts[i].modality);
      }
      continue;
    }
    const Identity own = IdentityOf(hosts[i], staged);
    if (first == nullptr) {
      first = &hosts[i];
      identity = own;
    } else if (own.space_id != identity.space_id || own.dimension != identity.dimension) {
      return absl::FailedPreconditionError(
          absl::StrCat("the folder is not the same everywhere: ", At(*first), " finds space ",
                       identity.space_id, " of dimension ", identity.dimension, " in it, ",
                       At(hosts[i]), " space ", own.space_id, " of dimension ", own.dimension));
    }
    if (IsDecoder(hosts[i])) {
      model.generates = staged.decoder().generates();
      model.max_context = static_cast<int>(staged.decoder().max_context());
      decoder_name = staged.decoder().model();
      continue;
    }
    TERMINUS_RETURN_IF_ERROR(discovery::CheckKind(staged.encoder(), hosts[i].modality));
    const dispatch::ServedModel known = std::exchange(model, {});
    model = discovery::Merge(staged.encoder(), known);
    // Until now it may have been known by what others lack or a decoder said, without a space.
    model.lacks = known.lacks;
    model.generates = known.generates;
    model.max_context = known.max_context;
  }
  if (model.space_id.empty() && !model.generates) {
    return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonNotInBundle,
                           absl::StrCat("the folder has nothing to serve for the services of this "
                                        "cluster: ",
                                        ServicesOf(hosts)));
  }
  if (model.space_id.empty()) {
    // A language model and no encoder.
    model.name = decoder_name;
    model.space_id = identity.space_id;
    model.dimension = static_cast<int>(identity.dimension);
  }
  return model;
}

}  // namespace terminus::services::router::loading
