// What both servers in Node do: one write a call, of the document that Fleetbeat keeps, acknowledged by a majority.
import { readFileSync } from "node:fs";
import { MongoClient } from "mongodb";

export const typeDefs = readFileSync(new URL("./schema.graphql", import.meta.url), "utf8");

const WEEK_MS = 7 * 24 * 3600 * 1000;

function document(beat, now) {
  return {
    _id: `${beat.tenantId}:${beat.deviceId}:${beat.bootId}:${beat.sequence}:`,
    tenant_id: beat.tenantId,
    device_id: beat.deviceId,
    lane: 0,
    timestamp: now,
    received_at: now,
    expire_at: new Date(now.getTime() + WEEK_MS),
    store_id: beat.storeId ?? null,
    status: beat.status ?? "online",
    sent_at: beat.sentAt ?? null,
    late: false,
    sequence: beat.sequence ?? null,
    boot_id: beat.bootId ?? null,
    error_rate_5m: beat.errorRate5m ?? null,
    request_latency_p95: beat.requestLatencyP95 ?? null,
    sync_lag_sec: beat.syncLagSec ?? null,
    app_version: beat.appVersion ?? null,
    memory_usage: beat.memoryUsage ?? null,
    cpu_usage: beat.cpuUsage ?? null,
    disk_usage: beat.diskUsage ?? null,
    metrics: beat.metrics ?? [],
    services: [],
  };
}

const acknowledged = (now) => ({ accepted: true, receivedAt: now.toISOString(), status: "ONLINE", nextWithinSec: 60 });
const viewer = () => ({ id: "bench", role: "ADMIN" });

// Without an address no database is asked.
export async function resolvers(mongoUri, database) {
  if (!mongoUri) {
    return {
      Query: { viewer, device: (_, { deviceId, tenantId }) => ({ id: `${tenantId}:${deviceId}`, deviceId, status: "UNKNOWN" }) },
      Mutation: {
        heartbeat: () => acknowledged(new Date()),
        heartbeats: (_, { inputs }) => ({ accepted: inputs.length, receivedAt: new Date().toISOString() }),
      },
    };
  }
  const client = await new MongoClient(mongoUri, { maxPoolSize: 50 }).connect();
  const beats = client.db(database).collection("device_heartbeats", { writeConcern: { w: "majority" } });
  const devices = client.db(database).collection("devices");
  return {
    Query: {
      viewer,
      device: async (_, { deviceId, tenantId }) => {
        const found = await devices.findOne({ _id: `${tenantId}:${deviceId}` });
        return found && { id: found._id, deviceId: found.device_id, status: found.status.toUpperCase() };
      },
    },
    Mutation: {
      heartbeat: async (_, { input }) => {
        const now = new Date();
        await beats.insertOne(document(input, now));
        return acknowledged(now);
      },
      heartbeats: async (_, { inputs }) => {
        const now = new Date();
        await beats.insertMany(inputs.map((input) => document(input, now)), { ordered: false });
        return { accepted: inputs.length, receivedAt: now.toISOString() };
      },
    },
  };
}
