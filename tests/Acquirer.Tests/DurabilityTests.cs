using System.Diagnostics;
using System.Text;

namespace Payments.Acquirer.Tests;

public sealed class DurabilityTests
{
    [Fact]
    public async Task Kill_WhilePaymentsFly_LosesNothingThatWasAnswered()
    {
        var folder = Sandbox.NewFolder();
        var answered = new List<Reply>();
        using (var program = await StartProgramAsync(folder))
        {
            using var http = Sandbox.Client(program.Address);
            var senders = Enumerable.Range(0, 16).Select(sender => SendUntilItDiesAsync(http, sender, answered)).ToList();
            while (Count() < 500)
                await Task.Delay(5);
            program.Process.Kill();
            await Task.WhenAll(senders);
        }

        await using var sandbox = await Sandbox.StartAsync(folder, []);
        var journal = await sandbox.JournalAsync();
        var references = journal.Select(entry => entry.GetProperty("reference").GetString()!).ToList();
        Assert.Equal(references.Count, references.Distinct().Count());
        foreach (var reply in answered)
            Assert.Equal(reply.Text, (await sandbox.PayAsync(reply.Field("reference"))).Text);
        Assert.Equal(journal.Count, (await sandbox.JournalAsync()).Count);

        int Count()
        {
            lock (answered)
                return answered.Count;
        }
    }

    [Fact]
    public async Task Restart_AfterEveryKindOfOperation_HasTheSameState()
    {
        var folder = Sandbox.NewFolder();
        var first = await Sandbox.StartAsync(folder, []);
        var id = (await first.PayAsync("r1", "tok_refund_pending", capture: false)).Field("id");
        await first.OperateAsync(id, "captures", "c1", 400);
        await first.OperateAsync(id, "captures", "c2", 300);
        await first.OperateAsync(id, "cancels", "x1", 100);
        await first.OperateAsync(id, "refunds", "f1", 50);
        await first.PayAsync("r2", "tok_dispute");
        await first.PostAsync("/v1/payouts", "p1", """{"reference":"p1","amount":5,"currency":"EUR","bank_account":{"token":"ba_returned_account_closed"}}""");
        await first.EventuallyAsync("/v1/operations?reference=f1", reply => reply.Text.Contains("\"succeeded\"", StringComparison.Ordinal));
        await first.EventuallyAsync("/v1/payouts?reference=p1", reply => reply.Field("status") == "returned");
        await first.EventuallyAsync("/control/summary", reply => reply.Text.Contains("\"needs_response\":1", StringComparison.Ordinal));
        await first.PostAsync("/control/clock", null, """{"offset_seconds":3600}""");
        var payment = (await first.GetAsync($"/v1/payments/{id}")).Text;
        var summary = (await first.GetAsync("/control/summary")).Text;
        var journal = (await first.GetAsync("/control/journal")).Text;
        await first.StopAsync();

        await using var second = await Sandbox.StartAsync(folder, []);
        Assert.Equal(payment, (await second.GetAsync($"/v1/payments/{id}")).Text);
        Assert.Equal(summary, (await second.GetAsync("/control/summary")).Text);
        Assert.Equal(journal, (await second.GetAsync("/control/journal")).Text);
        Assert.Equal(3600, (await second.PostAsync("/control/clock", null, "{}")).Json.GetProperty("offset_seconds").GetDouble());
    }

    [Theory]
    [InlineData("{\"entry\":{\"seq\":2,")]
    [InlineData("{\"entry\":{\"seq\":2,\n")]
    [InlineData("\0\0\0\0\0\0\n")]
    public async Task Restart_TornLastLine_CutsItAndGoesOn(string torn)
    {
        var folder = Sandbox.NewFolder();
        var first = await Sandbox.StartAsync(folder, []);
        await first.PayAsync("r1");
        await first.StopAsync();
        await File.AppendAllTextAsync(Path.Combine(folder, "journal.jsonl"), torn);

        var second = await Sandbox.StartAsync(folder, []);
        Assert.Equal(200, (await second.PayAsync("r2")).Status);
        await second.StopAsync();
        await using var third = await Sandbox.StartAsync(folder, []);
        Assert.Equal(["r1", "r2"], (await third.JournalAsync()).Select(entry => entry.GetProperty("reference").GetString()));
    }

    [Fact]
    public async Task Start_DamageInTheMiddle_IsRefused()
    {
        var folder = Sandbox.NewFolder();
        var first = await Sandbox.StartAsync(folder, []);
        await first.PayAsync("r1");
        await first.PayAsync("r2");
        await first.StopAsync();
        var path = Path.Combine(folder, "journal.jsonl");
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[0] = (byte)'!';
        await File.WriteAllBytesAsync(path, bytes);
        var problem = await Assert.ThrowsAsync<AcquirerSetupException>(() => Sandbox.StartAsync(folder, []));
        Assert.Contains("byte 0", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_SecondProgramOnTheSameFolder_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await Assert.ThrowsAsync<AcquirerSetupException>(() => Sandbox.StartAsync(sandbox.Folder, []));
    }

    [Theory]
    [InlineData("ApiKey=")]
    [InlineData("DataDirectory=")]
    [InlineData("WebhookUrl=http://example.com/hook")]
    [InlineData("WebhookUrl=http://127.0.0.1:1/hook")]
    public async Task Start_SettingThatCannotWork_IsRefusedWithOneLine(string setting)
    {
        var problem = await Assert.ThrowsAsync<AcquirerSetupException>(() => Sandbox.StartAsync(Sandbox.NewFolder(), [setting]));
        Assert.StartsWith("Acquirer__" + setting.Split('=')[0], problem.Message.Replace("set ", "", StringComparison.Ordinal).Replace("Acquirer__WebhookSecret", "Acquirer__WebhookUrl", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clock_FartherThanTenYears_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        Assert.Equal("invalid_offset", (await sandbox.PostAsync("/control/clock", null, """{"offset_seconds":1e15}""")).Error);
        Assert.Empty(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Reset_AfterWork_ForgetsItAndTakesTheSameReferences()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var first = await sandbox.PayAsync("r1");
        Assert.Equal(0, (await sandbox.PostAsync("/control/reset", null, "")).Amount("payments"));
        Assert.Empty(await sandbox.JournalAsync());
        Assert.NotEqual(first.Text, (await sandbox.PayAsync("r1")).Text);
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Journal_After_StreamsOnlyWhatIsNew()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 3000).Chunk(100).Select(async part =>
        {
            foreach (var i in part)
                await sandbox.PayAsync($"r{i}");
        }));
        Assert.Equal(Enumerable.Range(1, 3000), (await sandbox.JournalAsync()).Select(entry => entry.GetProperty("seq").GetInt32()));
        Assert.Equal(Enumerable.Range(2501, 500), (await sandbox.JournalAsync(2500)).Select(entry => entry.GetProperty("seq").GetInt32()));
    }

    private static async Task SendUntilItDiesAsync(HttpClient http, int sender, List<Reply> answered)
    {
        for (var i = 0; ; i++)
        {
            var reference = $"r{sender}-{i}";
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/payments")
            {
                Content = new StringContent(Sandbox.Payment(reference), Encoding.UTF8, "application/json"),
                Headers = { { "Idempotency-Key", reference } },
            };
            try
            {
                using var response = await http.SendAsync(request);
                var reply = new Reply((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
                lock (answered)
                    answered.Add(reply);
            }
            catch (HttpRequestException)
            {
                return;
            }
        }
    }

    private static async Task<RunningProgram> StartProgramAsync(string folder)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(AcquirerApp).Assembly.Location);
        foreach (var argument in Sandbox.Arguments(folder))
            start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        var line = await process.StandardOutput.ReadLineAsync();
        return new(process, line!.Split(' ')[^1]);
    }

    private sealed record RunningProgram(Process Process, string Address) : IDisposable
    {
        public void Dispose()
        {
            if (!Process.HasExited)
                Process.Kill();
            Process.Dispose();
        }
    }
}
