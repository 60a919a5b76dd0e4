#include "models/parallel/pipeline_simulator.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <queue>

namespace terminus::models::parallel {
namespace {

// Serves in order of arrival, one after the other. Calls come in the order of their times.
class Server {
 public:
  // Returns the end of a service.
  double Serve(double arrival, double seconds) {
    free_ = std::max(free_, arrival) + seconds;
    busy_ += seconds;
    return free_;
  }

  // Seconds of service until `now`. All that is left to do then is done without a gap.
  double BusyUntil(double now) const { return busy_ - std::max(0.0, free_ - now); }

 private:
  double free_ = 0;
  double busy_ = 0;
};

class Simulation {
 public:
  Simulation(const Pipeline& pipeline, const PipelineRun& run, const WorkSource& source)
      : pipeline_(pipeline),
        run_(run),
        source_(source),
        stages_(pipeline.stages.size()),
        links_(pipeline.stages.size()),
        slots_(pipeline.SlotCount()) {}

  PipelineResult Run() {
    for (int slot = 0; slot < static_cast<int>(slots_.size()); ++slot) {
      Push(0, slot, Event::kPlan);
      if (pipeline_.plan_ahead) {
        Push(0, slot, Event::kStart);
      }
    }
    Mark begin;
    while (completed_ < run_.warm_up_steps + run_.steps) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;
      const int64_t before = completed_;
      Handle(event);
      if (completed_ > before && completed_ == run_.warm_up_steps) {
        begin = MakeMark();
      }
    }
    return Compare(begin, MakeMark());
  }

 private:
  struct Event {
    enum Kind {
      kPlan,     // The front is asked for the next step of a slot.
      kStart,    // The tokens of a slot's last step are back.
      kStage,    // A micro-batch arrives at a stage,
      kLink,     // at the link behind it,
      kSampler,  // at the sampler,
      kReturn,   // and its tokens arrive at the first stage.
    };

    double time;
    int64_t order;  // Among events of one time.
    int slot;
    Kind kind;
    size_t stage;

    bool operator>(const Event& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };

  struct Slot {
    Work work;         // The step that is computed.
    Work next;         // The step that is planned ahead.
    double ready = 0;  // When the front has planned it.
    double started = 0;
  };

  // All that is counted, up to a time.
  struct Mark {
    double time = 0;
    std::vector<double> busy;
    double front_busy = 0;
    double tokens = 0;
    double prompt_tokens = 0;
    double latency = 0;
    int64_t steps = 0;
  };

  void Push(double time, int slot, typename Event::Kind kind, size_t stage = 0) {
    events_.push({time, order_++, slot, kind, stage});
  }

  void Handle(const Event& event) {
    Slot& slot = slots_[event.slot];
    switch (event.kind) {
      case Event::kPlan:
        Plan(event.slot);
        break;
      case Event::kStart:
        slot.work = slot.next;
        Push(std::max(now_, slot.ready), event.slot, Event::kStage);
        break;
      case Event::kStage:
        EnterStage(event.slot, event.stage);
        break;
      case Event::kLink: {
        const double bytes = pipeline_.hidden_bytes ? pipeline_.hidden_bytes(slot.work) : 0;
        const double sent = links_[event.stage].Serve(now_, bytes / pipeline_.link_bytes_per_s);
        Push(sent + pipeline_.link_latency_s, event.slot, Event::kStage, event.stage + 1);
        break;
      }
      case Event::kSampler:
        Push(sampler_.Serve(now_, pipeline_.sampling_s) + pipeline_.return_latency_s, event.slot,
             Event::kReturn);
        break;
      case Event::kReturn:
        Count(&slot);
        Push(now_, event.slot, pipeline_.plan_ahead ? Event::kStart : Event::kPlan);
        break;
    }
  }

  void Plan(int slot) {
    slots_[slot].next = source_(slot);
    slots_[slot].ready = front_.Serve(now_, pipeline_.host_s);
    if (!pipeline_.plan_ahead) {
      Push(now_, slot, Event::kStart);
    }
  }

  void EnterStage(int slot, size_t stage) {
    if (stage == 0 && pipeline_.plan_ahead) {
      Push(now_, slot, Event::kPlan);
    }
    const double end = stages_[stage].Serve(now_, pipeline_.stages[stage](slots_[slot].work));
    Push(end, slot, stage + 1 < stages_.size() ? Event::kLink : Event::kSampler, stage);
  }

  void Count(Slot* slot) {
    ++completed_;
    tokens_ += slot->work.rows;
    prompt_tokens_ += slot->work.prompt_tokens;
    latency_ += now_ - slot->started;
    slot->started = now_;
  }

  Mark MakeMark() const {
    Mark mark{.time = now_,
              .busy = {},
              .front_busy = front_.BusyUntil(now_),
              .tokens = tokens_,
              .prompt_tokens = prompt_tokens_,
              .latency = latency_,
              .steps = completed_};
    for (const Server& stage : stages_) {
      mark.busy.push_back(stage.BusyUntil(now_));
    }
    return mark;
  }

  PipelineResult Compare(Mark begin, const Mark& end) const {
    begin.busy.resize(stages_.size());
    const double seconds = end.time - begin.time;
    const auto steps = static_cast<double>(end.steps - begin.steps);
    PipelineResult result;
    for (size_t i = 0; i < stages_.size(); ++i) {
      result.stage_busy.push_back((end.busy[i] - begin.busy[i]) / seconds);
    }
    result.front_busy = (end.front_busy - begin.front_busy) / seconds;
    result.bubble = 1 - std::accumulate(result.stage_busy.begin(), result.stage_busy.end(), 0.0) /
                            static_cast<double>(stages_.size());
    result.steps_per_s = steps / seconds;
    result.tokens_per_s = (end.tokens - begin.tokens) / seconds;
    result.prompt_tokens_per_s = (end.prompt_tokens - begin.prompt_tokens) / seconds;
    result.step_latency_s = (end.latency - begin.latency) / steps;
    return result;
  }

  const Pipeline& pipeline_;
  const PipelineRun& run_;
  const WorkSource& source_;
  std::vector<Server> stages_;
  std::vector<Server> links_;  // [i]: from stage i to the next.
  Server sampler_;
  Server front_;
  std::vector<Slot> slots_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  double now_ = 0;
  int64_t order_ = 0;
  int64_t completed_ = 0;
  double tokens_ = 0;
  double prompt_tokens_ = 0;
  double latency_ = 0;
};

}  // namespace

PipelineResult SimulatePipeline(const Pipeline& pipeline, const PipelineRun& run,
                                const WorkSource& source) {
  return Simulation(pipeline, run, source).Run();
}

}  // namespace terminus::models::parallel
