"""A scene in ns-3, in a process of its own: ``python _air_ns3.py < scene.json`` prints its counts as JSON.

A list of scenes gives a list.

802.11b ad hoc stations at 1 Mb/s on the package's own channel (YansWifiChannel), its default models for errors and
the begin of frames, and the scene's power, loss, noise figure and thresholds. Messages are given straight to the
devices: no IP, no sockets, no queue above the MAC's, which is less than an ns-3 user has; that one holds 32 and keeps
them, as the kernel's stations do. ns-3 without callbacks is timed; a second run with them, of as many events, counts.
Python callbacks would cost more than the simulation, so scene and counters are C++, compiled by cppyy when this
starts.

Only what the scene needs is loaded: `import ns` would load all of ns-3.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

#: Of a frame of ESP-NOW, without its message: the number of espnow.air.telling.frame_length, less what ns-3 adds itself
#: (24 of header, 8 of LLC, 4 of FCS).
MORE_BYTES = 24 + 8 + 7 + 4 - 24 - 8 - 4

LIBRARIES = ("core", "network", "mobility", "propagation", "spectrum", "wifi")
HEADERS = (
    "simulator",
    "rng-seed-manager",
    "uinteger",
    "double",
    "string",
    "constant-position-mobility-model",
    "propagation-delay-model",
    "propagation-loss-model",
    "yans-wifi-channel",
    "yans-wifi-helper",
    "wifi-mac",
    "wifi-mac-queue",
    "wifi-net-device",
    "wifi-phy",
    "wifi-ppdu",
    "wifi-psdu",
    "txop",
)

SOURCE = r"""
namespace bench {
using namespace ns3;

struct Stream { uint32_t station; int to; uint32_t size; double first_us; double period_us; };

std::vector<Stream> streams;
std::vector<Ptr<WifiNetDevice>> devices;
std::vector<Mac48Address> addresses;
std::vector<std::vector<uint32_t>> saturated;  // streams of a station
uint64_t made, frames, answers, receptions, acknowledged, failed, delivered, events;
double seconds;

void put(uint32_t s)
{
    const Stream& one = streams[s];
    made++;
    Address to = one.to < 0 ? Mac48Address::GetBroadcast() : addresses[one.to];
    devices[one.station]->Send(Create<Packet>(one.size), to, 0x88b5);
}

void arrive(uint32_t s)
{
    Simulator::Schedule(MicroSeconds(int64_t(streams[s].period_us)), &arrive, s);
    put(s);
}

void refill(uint32_t station)
{
    for (uint32_t s : saturated[station]) { put(s); }
}

void on_acked(uint32_t station, Ptr<const WifiMpdu>)
{
    acknowledged++;
    if (!saturated[station].empty()) { Simulator::ScheduleNow(&refill, station); }
}

void on_dropped(uint32_t station, WifiMacDropReason, Ptr<const WifiMpdu>)
{
    failed++;
    if (!saturated[station].empty()) { Simulator::ScheduleNow(&refill, station); }
}

void on_transmission(WifiConstPsduMap psdus, WifiTxVector, double)
{
    if (psdus.begin()->second->GetHeader(0).IsAck()) { answers++; } else { frames++; }
}

void on_reception(Ptr<const WifiPpdu>, RxSignalInfo, const WifiTxVector&, const std::vector<bool>& right)
{
    if (!right.empty() && right[0]) { receptions++; }
}

void on_delivery(Ptr<const Packet>) { delivered++; }

void run(const std::vector<double>& xy, const std::vector<double>& flat, int64_t us, double power_dbm, double exponent,
         double loss_1m_db, double noise_figure_db, double least_dbm, double detect_db,
         double sense_dbm, double floor_dbm, uint32_t attempts, uint32_t seed, bool counting)
{
    made = frames = answers = receptions = acknowledged = failed = delivered = 0;
    RngSeedManager::SetSeed(seed);
    uint32_t count = xy.size() / 2;
    streams.clear();
    devices.clear();
    addresses.clear();
    saturated.assign(count, {});
    for (uint32_t at = 0; at < flat.size(); at += 5)
    {
        streams.push_back({uint32_t(flat[at]), int(flat[at + 1]), uint32_t(flat[at + 2]), flat[at + 3], flat[at + 4]});
    }
    NodeContainer nodes;
    nodes.Create(count);
    for (uint32_t i = 0; i < count; i++)
    {
        auto place = CreateObject<ConstantPositionMobilityModel>();
        place->SetPosition(Vector(xy[2 * i], xy[2 * i + 1], 0.0));
        nodes.Get(i)->AggregateObject(place);
    }
    auto loss = CreateObject<LogDistancePropagationLossModel>();
    loss->SetAttribute("Exponent", DoubleValue(exponent));
    loss->SetAttribute("ReferenceLoss", DoubleValue(loss_1m_db));
    auto channel = CreateObject<YansWifiChannel>();
    channel->SetPropagationLossModel(loss);
    channel->SetPropagationDelayModel(CreateObject<ConstantSpeedPropagationDelayModel>());
    YansWifiPhyHelper phy;
    phy.SetChannel(channel);
    phy.SetPreambleDetectionModel("ns3::ThresholdPreambleDetectionModel", "Threshold", DoubleValue(detect_db),
                                  "MinimumRssi", DoubleValue(least_dbm));
    phy.Set("TxPowerStart", DoubleValue(power_dbm));
    phy.Set("TxPowerEnd", DoubleValue(power_dbm));
    phy.Set("RxNoiseFigure", DoubleValue(noise_figure_db));
    // ns-3 means it of 20 MHz, and DSSS has 22.
    phy.Set("RxSensitivity", DoubleValue(floor_dbm - 10 * std::log10(22.0 / 20.0)));
    phy.Set("CcaEdThreshold", DoubleValue(sense_dbm));
    WifiHelper wifi;
    wifi.SetStandard(WIFI_STANDARD_80211b);
    wifi.SetRemoteStationManager("ns3::ConstantRateWifiManager", "DataMode", StringValue("DsssRate1Mbps"),
                                 "ControlMode", StringValue("DsssRate1Mbps"));
    WifiMacHelper mac;
    mac.SetType("ns3::AdhocWifiMac");
    NetDeviceContainer made_devices = wifi.Install(phy, mac, nodes);
    WifiHelper::AssignStreams(made_devices, 1);
    for (uint32_t i = 0; i < count; i++)
    {
        auto device = DynamicCast<WifiNetDevice>(made_devices.Get(i));
        devices.push_back(device);
        addresses.push_back(Mac48Address::ConvertFrom(device->GetAddress()));
        device->GetMac()->SetAttribute("FrameRetryLimit", UintegerValue(attempts));
        auto queue = device->GetMac()->GetTxopQueue(AC_BE_NQOS);
        queue->SetMaxSize(QueueSize("32p"));
        queue->SetMaxDelay(Seconds(1000));
    }
    for (uint32_t s = 0; s < streams.size(); s++)
    {
        const Stream& one = streams[s];
        if (one.period_us > 0)
        {
            Simulator::Schedule(MicroSeconds(int64_t(one.first_us)), &arrive, s);
        }
        else
        {
            saturated[one.station].push_back(s);
            // One more than it sends, so that the queue is not empty while the next one is made.
            Simulator::Schedule(MicroSeconds(int64_t(one.first_us)), &put, s);
            Simulator::Schedule(MicroSeconds(int64_t(one.first_us)), &put, s);
        }
    }
    for (uint32_t i = 0; i < count; i++)
    {
        auto device_phy = devices[i]->GetPhy();
        auto device_mac = devices[i]->GetMac();
        if (counting || !saturated[i].empty())
        {
            device_mac->TraceConnectWithoutContext("AckedMpdu", MakeBoundCallback(&on_acked, i));
            device_mac->TraceConnectWithoutContext("DroppedMpdu", MakeBoundCallback(&on_dropped, i));
        }
        if (counting)
        {
            device_phy->TraceConnectWithoutContext("PhyTxPsduBegin", MakeCallback(&on_transmission));
            device_phy->GetState()->TraceConnectWithoutContext("RxOutcome", MakeCallback(&on_reception));
            device_mac->TraceConnectWithoutContext("MacRx", MakeCallback(&on_delivery));
        }
    }
    Simulator::Stop(MicroSeconds(us));
    clock_t begin = clock();
    Simulator::Run();
    seconds = double(clock() - begin) / CLOCKS_PER_SEC;
    events = Simulator::GetEventCount();
    devices.clear();
    Simulator::Destroy();
}
}
"""


def load() -> Any:
    """Return the namespace of `SOURCE`."""
    cppyy: Any = importlib.import_module("cppyy")
    spec = importlib.util.find_spec("ns3")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("no ns-3: python -m pip install ns3")
    home = Path(next(iter(spec.submodule_search_locations)))
    cppyy.add_include_path(str(home / "include"))
    for module in LIBRARIES:
        (library,) = (home / "lib64").glob(f"libns3*-{module}.so")
        cppyy.load_library(str(library))
    for header in HEADERS:
        cppyy.include(f"ns3/{header}.h")
    cppyy.cppdef(SOURCE)
    return cppyy.gbl.bench


def run(bench: Any, scene: dict[str, Any]) -> dict[str, float]:
    """Run a scene twice, for its time and for its counts."""
    xy = [value for place in scene["places"] for value in place]
    flat = [
        float(value)
        for station, to, size, first_us, period_us in scene["streams"]
        for value in (station, to, size + MORE_BYTES, first_us, period_us)
    ]
    names = ("power_dbm", "exponent", "loss_1m_db", "noise_figure_db", "least_dbm", "detect_db", "sense_dbm")
    air = [scene[name] for name in (*names, "floor_dbm", "attempts", "seed")]
    bench.run(xy, flat, scene["us"], *air, False)
    found = {"seconds": bench.seconds, "events": bench.events}
    bench.run(xy, flat, scene["us"], *air, True)
    if bench.events != found["events"]:
        sys.exit("ns-3 did something else when it was counted")
    counted = ("made", "frames", "answers", "receptions", "acknowledged", "failed", "delivered")
    return found | {name: getattr(bench, name) for name in counted}


def main() -> None:
    asked = json.load(sys.stdin)
    bench = load()
    print(json.dumps([run(bench, scene) for scene in asked] if isinstance(asked, list) else run(bench, asked)))


if __name__ == "__main__":
    main()
