// The tests' Hub as a process for check_hub.py: prints its address, and serves until it is ended.
import { noise } from "../hub/hub_fixture.ts";
import { HubServer } from "../hub/hub_server.ts";

await using server = new HubServer();
server.rate = 100e6;
server.publish("org/name", {
  "config.json": `{"model_type": "vit"}`,
  "tokenizer.json": `{"version": "1.0"}`,
  "parts/more.json": "[]",
  "model.safetensors": noise(24 << 20),
});
console.log(server.url);
await new Promise(() => {});
