"""What the GPU says of itself, by NVML."""

import ctypes
import threading


class Gpu:
    """One GPU of this machine."""

    def __init__(self, index=0):
        self._library = ctypes.CDLL("libnvidia-ml.so.1")
        self._handle = ctypes.c_void_p()
        self._check(self._library.nvmlInit_v2())
        self._check(self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(self._handle)))
        self._watch = None

    def name(self):
        text = ctypes.create_string_buffer(96)
        self._check(self._library.nvmlDeviceGetName(self._handle, text, len(text)))
        return text.value.decode()

    def joules(self):
        """Energy used since the driver was loaded."""
        millijoules = ctypes.c_ulonglong()
        self._check(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle, ctypes.byref(millijoules)))
        return millijoules.value / 1000

    def start_watching(self):
        """Begins to note how much of the time kernels run."""
        self._stop = threading.Event()
        self._seen = []
        self._watch = threading.Thread(target=self._note, daemon=True)
        self._watch.start()

    def stop_watching(self):
        """The share since start_watching, from 0 to 1."""
        self._stop.set()
        self._watch.join()
        return sum(self._seen) / len(self._seen) / 100

    def _note(self):
        class Utilization(ctypes.Structure):
            _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]

        seen = Utilization()
        # The driver's own samples are a sixth of a second to a second long.
        while not self._seen or not self._stop.wait(0.2):
            self._check(self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(seen)))
            self._seen.append(seen.gpu)

    def _check(self, code):
        if code != 0:
            self._library.nvmlErrorString.restype = ctypes.c_char_p
            raise RuntimeError(f"NVML: {self._library.nvmlErrorString(code).decode()}")
