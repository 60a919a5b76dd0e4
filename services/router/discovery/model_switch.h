#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/router/dispatch/encode_task.h"
#include "terminus/v1/decoder.pb.h"
#include "terminus/v1/encoder.pb.h"
#include "terminus/v1/modality.pb.h"

namespace terminus::services::router::discovery {

// A replica that answered and is of the right kind, whatever it serves: its model can be changed.
struct Host {
  // "text", "vision", "video" or "decoder".
  std::string service;
  v1::Modality modality = v1::MODALITY_UNSPECIFIED;
  std::string address;
  // Keep it no longer than the discovery lives, and let go of it on a thread that is not gRPC's.
  std::shared_ptr<grpc::Channel> channel;
  // False: it is refused, for what it serves is not what the cluster serves.
  bool accepted = false;
  // Of what it serves; empty: nothing.
  std::string space_id;
};

// What the cluster serves from now on.
struct ModelSwitch {
  // Nothing: no model any more.
  std::optional<dispatch::ServedModel> model;
  // The replicas that have it (or nothing, if it has nothing for them) already, and what they say
  // of it. Others that serve something else are refused from now on.
  struct Replica {
    std::string service;
    std::string address;
    // It serves nothing; else one of the descriptions, by its kind.
    bool absent = false;
    v1::DescribeResponse description;
    v1::DecoderDescribeResponse decoder;
  };
  std::vector<Replica> replicas;
};

}  // namespace terminus::services::router::discovery
