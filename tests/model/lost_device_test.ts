import { assertEquals, assertRejects } from "@std/assert";
import { load } from "../../backends/webgpu/mod.ts";
import { DeviceLostError, Trainer } from "../../mod.ts";
import { inputs, quantizedModel } from "./quantized_models.ts";

const { pixelValues } = inputs;
const options = { maxNewTokens: 6, eosTokenId: null };

/** Note the devices that are opened while `act` runs. */
async function withDevices<T>(act: (devices: readonly GPUDevice[]) => Promise<T>): Promise<T> {
  const devices: GPUDevice[] = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    devices.push(device);
    return device;
  };
  try {
    return await act(devices);
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
}

Deno.test("a model goes on on another device at the call after its own was lost", async () => {
  await withDevices(async (devices) => {
    await using backend = await load();
    await using model = await quantizedModel("gpt2", { backend, dtype: "q8" });
    await using other = await quantizedModel("trocr", { backend });
    const expected = [await model.generate(pixelValues, options), await other.generate(pixelValues, options)];
    for (let time = 0; time < 2; time++) {
      devices.at(-1)!.destroy();
      await assertRejects(() => model.generate(pixelValues, options), DeviceLostError, "lost");
      const found = [await model.generate(pixelValues, options), await other.generate(pixelValues, options)];
      assertEquals(found, expected);
    }
  });
});

Deno.test("a model whose parameters were trained on a lost device says that they are lost", async () => {
  await withDevices(async (devices) => {
    await using backend = await load();
    await using model = await quantizedModel("gpt2", { backend });
    const trainer = await Trainer.create(model, { learningRate: 1e-3 });
    await trainer.step({ pixelValues, labels: [[3, 5, 1]] });
    devices.at(-1)!.destroy();
    await assertRejects(() => model.generate(pixelValues, options), DeviceLostError);
    await assertRejects(() => model.generate(pixelValues, options), DeviceLostError, "what was trained");
  });
});
