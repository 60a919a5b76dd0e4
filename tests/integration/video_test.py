"""Videos through a real cluster: what comes back for good ones, and what is said of bad ones."""

import io
import json
import pathlib
import struct
import tempfile
import unittest

import numpy
from PIL import Image

from cluster import Cluster, unpack
from google.rpc import code_pb2
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2, modality_pb2

CLIPS = pathlib.Path(__file__).parents[1] / "golden" / "media" / "video"


def video(data, **fields):
    return content_pb2.Content(video=content_pb2.Video(data=data, **fields))


def clip(name):
    return (CLIPS / name).read_bytes()


def half(name):
    return clip(name)[:(CLIPS / name).stat().st_size // 2]


def ten_hours(mp4):
    """The same clip, whose header says so of the movie, the track and each of its 30 frames."""
    seconds = 10 * 3600
    for box, offset, value in (("mvhd", 20, seconds * 1000), ("tkhd", 24, seconds * 1000), ("elst", 12, seconds * 1000),
                               ("mdhd", 20, seconds * 12800), ("stts", 16, seconds * 12800 // 30)):
        at = mp4.index(box.encode()) + offset
        mp4 = mp4[:at] + struct.pack(">I", value) + mp4[at + 4:]
    return mp4


def picture(format):
    buffer = io.BytesIO()
    with Image.open(CLIPS / "still.gif") as image:
        image.convert("RGB").save(buffer, format, **({"lossless": True} if format == "WEBP" else {}))
    return buffer.getvalue()


class VideoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def embed(self, *items):
        response = self.cluster.embedding.Embed(embedding_pb2.EmbedRequest(items=items), timeout=60)
        self.assertEqual(len(items), len(response.results))
        return response.results

    def vector(self, result):
        self.assertEqual(code_pb2.OK, result.status.code, result.status.message)
        values = numpy.frombuffer(result.vector.data, "<f4")
        self.assertAlmostEqual(1.0, float(numpy.linalg.norm(values)), places=4)
        return values

    def assert_refused(self, result, reason, field, *words):
        self.assertEqual(code_pb2.INVALID_ARGUMENT, result.status.code, result.status.message)
        details = unpack(result.status)
        self.assertEqual(reason, details["ErrorInfo"].reason)
        self.assertEqual(field, details["BadRequest"].field_violations[0].field)
        for word in words:
            self.assertIn(word, result.status.message)

    def test_the_cluster_says_that_it_takes_videos(self):
        status = self.cluster.status()
        self.assertEqual(["text", "vision", "video", "decoder"], [replica.service for replica in status.replicas])
        model = self.cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(), timeout=5).models[0]
        self.assertIn(modality_pb2.MODALITY_VIDEO, model.modalities)
        queues = self.cluster.cluster.ExplainBatching(cluster_pb2.ExplainBatchingRequest(), timeout=5).queues
        self.assertEqual("frames", queues[2].cost_unit)

    def test_every_container_and_codec(self):
        names = ["h264.mp4", "open_gop.mkv", "vp9.webm", "odd.mp4", "vfr.gif", "vfr.mp4", "turned90.mp4", "still.gif"]
        results = self.embed(*(video(clip(name)) for name in names))
        vectors = {name: self.vector(result) for name, result in zip(names, results)}
        for result in results:
            self.assertEqual(8, result.cost.frames)
        # The same pictures under three codecs; turned they look like something else.
        self.assertGreater(vectors["h264.mp4"] @ vectors["open_gop.mkv"], 0.9)
        self.assertGreater(vectors["h264.mp4"] @ vectors["vp9.webm"], 0.8)

    def test_a_still_clip_is_its_picture(self):
        gif, image = self.embed(video(clip("still.gif")), content_pb2.Content(image=picture("PNG")))
        self.assertGreater(float(self.vector(gif) @ self.vector(image)), 0.9999)

    def test_ranges_and_frames(self):
        data = clip("h264.mp4")
        whole, part, one = self.embed(video(data), video(data, start_us=400_000, end_us=800_000, frames=3),
                                      video(data, frames=1))
        self.assertEqual([8, 3, 1], [r.cost.frames for r in (whole, part, one)])
        self.assertEqual(3, len({r.content_hash for r in (whole, part, one)}))
        self.assertLess(float(self.vector(whole) @ self.vector(one)), 0.999999)

    def test_bad_videos_fail_alone(self):
        good = clip("h264.mp4")
        bad = [
            (video(b""), "EMPTY_ITEM", "video", "no bytes"),
            (video(b"neither fish nor fowl"), "UNSUPPORTED_FORMAT", "video", "MP4, WebM and GIF"),
            (video(picture("PNG")), "UNSUPPORTED_FORMAT", "video", "MP4, WebM and GIF"),
            (video(clip("sound.mp4")), "VIDEO_NO_STREAM", "video", "no video stream"),
            (video(clip("vp8.webm")), "UNSUPPORTED_FORMAT", "video", "vp8"),
            (video(half("odd.mp4")), "VIDEO_TRUNCATED", "video", "cut off"),
            (video(half("open_gop.mkv")), "VIDEO_TRUNCATED", "video", "cut off", "wanted"),
            (video(ten_hours(good)), "VIDEO_TOO_LONG", "video", "36000 s", "3600 s"),
            (video(good, start_us=5_000_000), "VIDEO_RANGE_INVALID", "video.start_us", "1.2 s"),
            (video(good, end_us=5_000_000), "VIDEO_RANGE_INVALID", "video.end_us", "1.2 s"),
            (video(good, start_us=3, end_us=2), "VIDEO_RANGE_INVALID", "video.end_us", "not after"),
            (video(good, start_us=-1), "VIDEO_RANGE_INVALID", "video.start_us", "before"),
            (video(good, frames=257), "VIDEO_TOO_MANY_FRAMES", "video.frames", "256"),
            (video(good + b"\0" * (50 << 20)), "VIDEO_TOO_LARGE", "video", "52428800"),
        ]
        results = self.embed(*(case[0] for case in bad), video(good), content_pb2.Content(text="a cat"))
        for i, (_, reason, field, *words) in enumerate(bad):
            with self.subTest(i=i, reason=reason):
                self.assert_refused(results[i], reason, f"items[{i}].{field}", *words)
        self.vector(results[-2])
        self.vector(results[-1])

    def test_what_is_there_of_a_cut_off_clip_is_taken(self):
        result, = self.embed(video(half("open_gop.mkv"), end_us=200_000))
        self.vector(result)

    def test_a_stream_takes_all_kinds(self):
        items = [content_pb2.Content(text="a cat"), video(clip("vfr.gif")), content_pb2.Content(image=picture("PNG")),
                 video(b"GIF89a"), video(clip("vp9.webm"))]
        requests = (embedding_pb2.EmbedStreamRequest(correlation_id=i, item=item) for i, item in enumerate(items))
        answers = {a.correlation_id: a.result for a in self.cluster.embedding.EmbedStream(requests, timeout=60)}
        self.assertEqual(set(range(5)), set(answers))
        for i in (0, 1, 2, 4):
            self.vector(answers[i])
        self.assert_refused(answers[3], "VIDEO_TRUNCATED", "item.video")

    def test_the_command_embeds_and_finds_videos(self):
        printed = json.loads(self.cluster.cli("embed", "--json", "--file", str(CLIPS / "h264.mp4")).stdout)
        self.assertEqual(8, printed["results"][0]["cost"]["frames"])
        self.assertEqual(384, len(printed["results"][0]["vector"]))
        with tempfile.TemporaryDirectory() as folder:
            for name in ("h264.mp4", "vfr.gif", "sound.mp4"):
                pathlib.Path(folder, name).write_bytes(clip(name))
            pathlib.Path(folder, "still.png").write_bytes(picture("PNG"))
            page = pathlib.Path(folder, "found.html")
            found = json.loads(self.cluster.cli(
                "search", str(CLIPS / "open_gop.mkv"), "--in", folder, "--no-cache", "--json",
                "--html", str(page)).stdout)
            self.assertEqual("video", found["kind"])
            self.assertEqual("h264.mp4", found["results"][0]["relative"])
            self.assertEqual({"h264.mp4", "vfr.gif", "still.png"}, {r["relative"] for r in found["results"]})
            self.assertEqual(["sound.mp4"], [failed["relative"] for failed in found["failed"]])
            # A picture of each, and of the query.
            self.assertEqual(4, page.read_text().count("data:image/jpeg;base64,/9j/"))


if __name__ == "__main__":
    unittest.main()
