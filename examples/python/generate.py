"""Answers a prompt and writes the answer out as it is generated.

usage: generate.py [--address HOST:PORT] [--max-tokens N] [--temperature T] [--seed S] PROMPT
"""

import client
from terminus.v1 import generation_pb2, generation_pb2_grpc


def main():
    parser = client.parser("Answers a prompt, written out as it is generated.")
    parser.add_argument("prompt", metavar="PROMPT")
    parser.add_argument("--max-tokens", type=int, default=128, metavar="N")
    parser.add_argument("--temperature", type=float, metavar="T", help="0: always the likeliest token")
    parser.add_argument("--seed", type=int, metavar="S", help="equal seeds give equal answers")
    arguments = parser.parse_args()

    request = generation_pb2.GenerateRequest(sampling=generation_pb2.SamplingParameters(
        max_tokens=arguments.max_tokens, temperature=arguments.temperature, seed=arguments.seed))
    request.messages.add(role=generation_pb2.ROLE_USER).parts.add(text=arguments.prompt)
    stub = client.connect(arguments.address, generation_pb2_grpc.GenerationStub)
    for message in stub.Generate(request, timeout=120):
        if message.HasField("usage"):
            print(f"\n({message.usage.prompt_tokens} tokens in, {message.usage.generated_tokens} out)")
        else:
            print(message.delta.text, end="", flush=True)


if __name__ == "__main__":
    client.run(main)
