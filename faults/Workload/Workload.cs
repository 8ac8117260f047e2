using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;

namespace Payments.Faults;

/// <summary>
/// What merchants, customers, banks and operators do, drawn from a seed: charges with every kind of card, captures, cancels, refunds,
/// disputes and their answers, payouts, webhook endpoints, files. Each worker draws from its own sequence, so the same seed asks for the
/// same things, whatever the timing of the answers.
/// </summary>
internal sealed class Workload(World world, Api api, MerchantServers servers, Tally tally, int seed)
{
    // The sandbox bank decides by the end of the number: paid, failed, returned, accepted without a report, or not accepted without a
    // report.
    private static readonly string[] Accounts = ["000123456789", "000123456789", "000120000001", "000120000004", "000120000004", "000120000007", "000120000008", "000120000009"];

    private static readonly (string Token, int Weight)[] Cards =
    [
        ("tok_visa", 30), ("tok_mastercard", 8), ("tok_amex", 4), ("tok_3ds_required", 16), ("tok_3ds_failed", 4), ("tok_decline_insufficient_funds", 3), ("tok_decline_do_not_honor", 2),
        ("tok_decline_stolen_card", 1), ("tok_timeout_after_charging", 3), ("tok_timeout_before_charging", 2), ("tok_fail_after_charging", 3), ("tok_fail_before_charging", 2),
        ("tok_drop_after_charging", 3), ("tok_drop_before_charging", 2), ("tok_malformed", 2), ("tok_rate_limited", 1), ("tok_slow_300", 2), ("tok_flaky", 6), ("tok_webhook_first", 4),
        ("tok_refund_pending", 6), ("tok_refund_pending_fails", 5), ("tok_refund_fails", 3), ("tok_refund_timeout_after", 3), ("tok_refund_timeout_before", 2), ("tok_refund_webhook_first", 3), ("tok_refund_pending_drop_after", 3), ("tok_refund_fails_drop_after", 2),
        ("tok_capture_refused", 3), ("tok_capture_timeout_after", 3), ("tok_capture_drop_before", 3), ("tok_capture_webhook_first", 2), ("tok_cancel_fail_after", 3), ("tok_cancel_drop_before", 3),
        ("tok_cancel_timeout_after", 2), ("tok_cancel_webhook_first", 2), ("tok_dispute", 4), ("tok_dispute_early_warning", 3), ("tok_dispute_inquiry", 3),
    ];

    // The reports of the bank for a payout that it may have taken without the platform's knowledge.
    private static readonly string[][] BanksWords = [["failed"], ["paid"], ["paid", "returned"], ["in_transit", "returned"], ["paid", "failed"]];

    private readonly List<Merchant> _merchants = [];
    private readonly Bag<string> _disputes = new();
    private readonly Bag<DisputeFile> _files = new();
    private readonly List<DisputeFile> _uploaded = [];
    private int _keys;
    private int _fileNumber;

    public IReadOnlyList<Merchant> Merchants => _merchants;

    public IReadOnlyCollection<DisputeFile> Files
    {
        get
        {
            lock (_uploaded)
                return [.. _uploaded];
        }
    }

    /// <summary>Creates the merchants, before the first fault.</summary>
    public async Task PrepareAsync(int merchants)
    {
        var random = new Random(seed);
        await world.Blobs.GetBlobContainerClient(DisputeInbox.InboxContainer).CreateIfNotExistsAsync();
        for (var i = 0; i < merchants; i++)
        {
            var made = await api.MoveAsync("merchant", "", world.PlatformKey, "/v1/merchants", new { name = $"Merchant {i}", country = "DE", payout_delay_days = i % 2 }, NextKey());

            // Half of the accounts are live, and their payouts go by bank file. Only test accounts have endpoints, because a live account
            // takes no http address.
            var isLive = i % 2 == 1;
            var id = made!.Text(isLive ? "id" : "test_account")!;
            var mode = isLive ? "live" : "test";
            var key = await api.MoveAsync("api key", id, world.PlatformKey, $"/v1/merchants/{id}/api_keys", new { mode }, NextKey());
            var merchant = new Merchant(id, key!.Text("secret")!, isLive);
            _merchants.Add(merchant);
            await SettleAccountsAsync(random, merchant);
            if (i % 2 == 0)
                await api.SetAsync(HttpMethod.Put, "/v1/dispute_settings/EUR", world.PlatformKey, new { refund_early_warnings_up_to = 5_000 }, id);
            if (i == 1)
                await api.SetAsync(HttpMethod.Put, "/v1/payout_settings/EUR", world.PlatformKey, new { reserve = new { basis_points = 500, days = 2 } }, id);
            await NewEndpointAsync(merchant, ["*"]);
            await NewEndpointAsync(merchant, ["charge.*", "refund.*"], isBroken: i == 0);
        }
    }

    /// <summary>Each of the workers does one step after the other.</summary>
    /// <param name="round">The round of the run. Each round has its own sequences.</param>
    /// <param name="length">How long workers begin new steps. How far each comes in its sequence depends on timing.</param>
    public Task RunAsync(int round, int workers, TimeSpan length) => Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(async () =>
    {
        var random = new Random(Seeds.Of(Seeds.Of(seed, 31, round), 1_000_003, worker));
        var started = TimeProvider.System.GetTimestamp();
        if (worker == 0 && round > 0)
            await MendEndpointsAsync(random, _merchants[round % _merchants.Count]);
        while (TimeProvider.System.GetElapsedTime(started) < length)
            await StepAsync(random);
    })));

    private async Task StepAsync(Random random)
    {
        var merchant = _merchants[random.Next(_merchants.Count)];
        switch (random.Next(100))
        {
            case < 34:
                await ChargeAsync(random, merchant);
                break;
            case < 40:
                await CaptureAsync(random, merchant, Draw(random, merchant.Held));
                break;
            case < 43:
                await CancelAsync(random, merchant, Draw(random, random.Next(4) == 0 ? merchant.Waiting : merchant.Held));
                break;
            case < 48:
                await CompleteAsync(random, merchant, Draw(random, merchant.Waiting));
                break;
            case < 58:
                await RefundAsync(random, merchant, Draw(random, merchant.Charges));
                break;
            case < 64:
                await OpenDisputeAsync(random, Draw(random, merchant.Charges)?.Payment);
                break;
            case < 74:
                await ChangeDisputeAsync(random);
                break;
            case < 79:
                await AnswerDisputeAsync(random, merchant);
                break;
            case < 82:
                await DropFileAsync(random);
                break;
            case < 88:
                await PayoutAsync(random, merchant);
                break;
            case < 94:
                await ChangeEndpointAsync(random, merchant);
                break;
            case < 95:
                await HoldAsync(random, merchant);
                break;
            default:
                await DisturbAsync(random, merchant);
                break;
        }
    }

    /// <summary>Creates a charge, and in most cases does at once what its card is meant to test.</summary>
    private async Task ChargeAsync(Random random, Merchant merchant)
    {
        var token = Draw(random);
        var currency = random.Next(10) switch { < 5 => "EUR", < 8 => "USD", _ => "JPY" };
        var amount = 50 + random.NextInt64(20_000);
        var isHeld = token.StartsWith("tok_capture", StringComparison.Ordinal) || token.StartsWith("tok_cancel", StringComparison.Ordinal)
            || (!token.StartsWith("tok_refund", StringComparison.Ordinal) && random.Next(10) < 4);
        var body = new { amount, currency, payment_method = token, capture_method = isHeld ? "manual" : "automatic" };
        var reply = await api.MoveAsync("charge", merchant.Id, merchant.Key, "/v1/charges", body, NextKey(), twice: random.Next(10) == 0);
        if (reply is not { IsSuccess: true })
            return;
        var charge = new ChargeOfRun(reply.Text("id")!, reply.Text("provider_reference"), currency, amount);
        merchant.Charges.Add(charge);
        var status = reply.Text("status");
        if (status == "requires_action")
            merchant.Waiting.Add(charge);
        else if (isHeld && status != "declined")
            merchant.Held.Add(charge);
        if (random.Next(3) == 0)
            return;
        if (isHeld && token.EndsWith("after_charging", StringComparison.Ordinal) && await LatestAsync("payment", "authorized", 3) is { Count: > 0 } latest)
            await TellAcquirerAsync("authorization lapsed", HttpMethod.Post, $"/control/payments/{latest[^1]}/expire");
        if (status == "requires_action")
            await CompleteAsync(random, merchant, charge);
        else if (token.StartsWith("tok_capture", StringComparison.Ordinal))
            await CaptureAsync(random, merchant, charge);
        else if (token.StartsWith("tok_cancel", StringComparison.Ordinal))
            await CancelAsync(random, merchant, charge);
        else if (token.StartsWith("tok_refund", StringComparison.Ordinal))
            await RefundAsync(random, merchant, charge);
    }

    private async Task CaptureAsync(Random random, Merchant merchant, ChargeOfRun? charge)
    {
        if (charge is null)
            return;
        object body = random.Next(3) switch
        {
            0 => new { },
            1 => new { amount = 1 + random.NextInt64(charge.Amount) },
            _ => new { amount = 1 + random.NextInt64(charge.Amount), is_final = true },
        };
        await api.MoveAsync("capture", merchant.Id, merchant.Key, $"/v1/charges/{charge.Id}/capture", body, NextKey(), twice: random.Next(10) == 0);
    }

    private async Task CancelAsync(Random random, Merchant merchant, ChargeOfRun? charge)
    {
        if (charge is null)
            return;
        if (charge.Payment is { } payment && random.Next(6) == 0)
            await TellAcquirerAsync("authorization lapsed", HttpMethod.Post, $"/control/payments/{payment}/expire");
        await api.MoveAsync("cancel", merchant.Id, merchant.Key, $"/v1/charges/{charge.Id}/cancel", new { }, NextKey(), twice: random.Next(10) == 0);
    }

    private async Task CompleteAsync(Random random, Merchant merchant, ChargeOfRun? charge)
    {
        if (charge?.Payment is null)
            return;
        await TellAcquirerAsync("3-D Secure", HttpMethod.Post, $"/v1/payments/{charge.Payment}/complete", new { outcome = random.Next(4) == 0 ? "fail" : "pass" });
        if (random.Next(2) == 0)
            await api.SetAsync(HttpMethod.Post, $"/v1/charges/{charge.Id}/complete", merchant.Key, new { });
    }

    private async Task RefundAsync(Random random, Merchant merchant, ChargeOfRun? charge)
    {
        if (charge is null)
            return;
        object body = random.Next(3) == 0 ? new { charge = charge.Id } : new { charge = charge.Id, amount = 1 + random.NextInt64(charge.Amount / 2 + 1) };
        if (random.Next(5) > 0)
        {
            var reply = await api.MoveAsync("refund", merchant.Id, merchant.Key, "/v1/refunds", body, NextKey(), twice: random.Next(8) == 0);
            if (reply is { IsSuccess: true } && reply.Text("provider_reference") is { } refund)
                merchant.Refunds.Add(refund);
            return;
        }

        // Several refunds at once compete for an amount that only some of them can have.
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => api.MoveAsync("refund", merchant.Id, merchant.Key, "/v1/refunds", body, NextKey())));
    }

    private async Task OpenDisputeAsync(Random random, string? payment)
    {
        if (payment is null)
            return;
        var stage = random.Next(5) switch { 0 or 1 => "early_warning", 2 => "inquiry", _ => "chargeback" };
        var due = random.Next(3) == 0 ? world.Clock.Now.AddHours(2 + random.Next(30)) : world.Clock.Now.AddDays(20);
        var opened = await TellAcquirerAsync("dispute opened", HttpMethod.Post, "/control/disputes", new { payment_id = payment, stage, reason_code = "13.1", evidence_due_by = due });
        if (opened?["id"]?.GetValue<string>() is { } id)
            _disputes.Add(id);
        if (random.Next(2) == 0)
            await ChangeDisputeAsync(random);
    }

    /// <summary>The network moves a dispute inside its stage or to a later stage, some disputes several times.</summary>
    private async Task ChangeDisputeAsync(Random random)
    {
        if (!_disputes.TryDraw(random, out var id))
            return;

        // The domain allows moves that the sandbox's network makes only as corrections.
        var isCorrection = random.Next(4) > 0 ? true : (bool?)null;
        var left = 1 + random.Next(4);
        for (var tries = 0; left > 0 && tries < 8; tries++)
        {
            if (await TellAcquirerAsync("dispute read", HttpMethod.Get, $"/v1/disputes/{id}") is not { } now)
                return;
            var (stage, status) = (DbText.Parse<DisputeStage>(now["stage"]!.GetValue<string>()), DbText.Parse<DisputeStatus>(now["status"]!.GetValue<string>()));
            var moves = (from s in Enum.GetValues<DisputeStage>()
                         from to in Enum.GetValues<DisputeStatus>()
                         where DisputeTransitions.Allows(stage, status, s, to)
                         select (Stage: s, Status: to)).ToList();
            var inside = moves.FindAll(move => move.Stage == stage);
            var candidates = inside.Count > 0 && random.Next(6) > 0 ? inside : moves;
            if (candidates.Count == 0)
                return;
            var next = candidates[random.Next(candidates.Count)];
            if (await TellAcquirerAsync("dispute changed", HttpMethod.Post, $"/control/disputes/{id}", new { stage = DbText.Of(next.Stage), status = DbText.Of(next.Status), correction = isCorrection }) is not null)
                left--;
        }
    }

    private async Task AnswerDisputeAsync(Random random, Merchant merchant)
    {
        var open = await api.GetAsync("/v1/disputes?limit=20", merchant.Key);
        if (open is not { IsSuccess: true } || open.Json["data"]!.AsArray() is not { Count: > 0 } disputes)
            return;
        var awaiting = disputes.Where(dispute => dispute!["status"]!.GetValue<string>().EndsWith("needs_response", StringComparison.Ordinal)).ToList();
        var among = awaiting.Count > 0 && random.Next(8) > 0 ? awaiting : [.. disputes];
        var path = $"/v1/disputes/{among[random.Next(among.Count)]!["id"]!.GetValue<string>()}";
        if (random.Next(4) == 0)
        {
            await api.MoveAsync("dispute accept", merchant.Id, merchant.Key, $"{path}/accept", new { }, NextKey());
            return;
        }

        await api.SetAsync(HttpMethod.Put, $"{path}/evidence", merchant.Key, new { text = random.Next(3) switch { 0 => "winning_evidence", 1 => "losing_evidence", _ => "They signed for it." } });
        await api.MoveAsync("dispute submit", merchant.Id, merchant.Key, $"{path}/submit", new { }, NextKey());
    }

    /// <summary>
    /// Uploads the acquirer's dispute file of the day: whole, cut off somewhere, or compressed. Sometimes it uploads an earlier file again.
    /// </summary>
    private async Task DropFileAsync(Random random)
    {
        DisputeFile file;
        var name = string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _fileNumber)}.csv");
        if (random.Next(5) == 0 && _files.TryDraw(random, out var before))
        {
            file = before with { Name = name };
            tally.Add("fault: file again");
        }
        else
        {
            if (await FileOfTheDayAsync() is not { } text)
                return;
            if (random.Next(4) == 0)
            {
                // The transfer broke off. The next day's file, or the same file again, has the rest.
                var head = text.IndexOf('\n', StringComparison.Ordinal) + 1;
                text = text[..(head + random.Next(text.Length - head))];
                tally.Add("fault: truncated file");
            }

            file = new DisputeFile("sandbox", name, text, text.Split('\n').Skip(1).Count(line => line.Length > 0));
        }

        var content = Encoding.UTF8.GetBytes(file.Content);
        if (random.Next(4) == 0)
        {
            using var compressed = new MemoryStream();
            await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
                await gzip.WriteAsync(content);
            (content, file) = (compressed.ToArray(), file with { Name = file.Name + ".gz" });
        }

        await world.Blobs.GetBlobContainerClient(DisputeInbox.InboxContainer).GetBlobClient($"{file.Partner}/{file.Name}").UploadAsync(BinaryData.FromBytes(content), overwrite: true);
        tally.Add("dispute files");
        tally.Add("dispute file lines", file.Lines);
        _files.Add(file);
        lock (_uploaded)
            _uploaded.Add(file);
    }

    /// <summary>Null if the file has no line yet, or the acquirer is down.</summary>
    private async Task<string?> FileOfTheDayAsync()
    {
        try
        {
            var text = await world.Acquirer.GetStringAsync(new Uri($"/v1/files/disputes?date={world.Clock.Now:yyyy-MM-dd}", UriKind.Relative));
            return text.Count(c => c == '\n') < 2 ? null : text;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or SocketException)
        {
            return null;
        }
    }

    private async Task PayoutAsync(Random random, Merchant merchant)
    {
        var currency = random.Next(3) switch { 0 => "EUR", 1 => "USD", _ => "JPY" };
        var before = await LatestAsync("payout", null, 1);
        object body = random.Next(3) switch { 0 => new { currency }, 1 => new { currency, amount = 1 + random.NextInt64(2_000) }, _ => new { currency, method = currency == "USD" ? "instant" : "standard" } };
        var reply = await api.MoveAsync("payout", merchant.Id, merchant.Key, "/v1/payouts", body, NextKey(), twice: random.Next(4) == 0);
        if (reply is not { IsSuccess: true })
            return;
        var payout = reply.Text("id")!;
        merchant.Payouts.Add(payout);
        if (random.Next(3) == 0)
            await api.MoveAsync("payout cancel", merchant.Id, merchant.Key, $"/v1/payouts/{payout}/cancel", new { }, NextKey());
        else if (currency != "EUR" && random.Next(2) == 0)
            await TellOfPayoutAsync(random, before);
    }

    /// <summary>
    /// The bank reports all steps of one of the last payouts at once, whether or not the platform knows that the bank took it.
    /// </summary>
    /// <param name="before">
    /// The last payout that the bank took. The method waits a little for a later one, to report before the bank's answer arrives.
    /// </param>
    private async Task TellOfPayoutAsync(Random random, IReadOnlyList<string>? before = null)
    {
        var latest = await LatestAsync("payout", null, 4);
        for (var i = 0; i < 10 && before is not null && latest.TakeLast(1).SequenceEqual(before); i++)
        {
            await Task.Delay(50);
            latest = await LatestAsync("payout", null, 4);
        }

        if (latest.Count == 0)
            return;
        var payout = before is null ? latest[random.Next(latest.Count)] : latest[^1];
        foreach (var status in BanksWords[random.Next(BanksWords.Length)])
            await TellAcquirerAsync("payout decided", HttpMethod.Post, $"/control/payouts/{payout}", new { status });
    }

    /// <summary>A merchant mends its servers, enables all of its endpoints, and asks for the deliveries that they missed.</summary>
    private async Task MendEndpointsAsync(Random random, Merchant merchant)
    {
        foreach (var endpoint in merchant.Endpoints.All)
        {
            var path = $"/v1/webhook_endpoints/{endpoint}";
            await api.SetAsync(HttpMethod.Patch, path, merchant.Key, new { status = "enabled" });
            await ResendAsync(random, merchant, path);
        }
    }

    private async Task ChangeEndpointAsync(Random random, Merchant merchant)
    {
        if (!merchant.Endpoints.TryDraw(random, out var endpoint) || random.Next(5) == 0)
        {
            await NewEndpointAsync(merchant, random.Next(2) == 0 ? ["*"] : ["charge.*", "payout.*", "dispute.*"], isBroken: random.Next(3) == 0);
            return;
        }

        var path = $"/v1/webhook_endpoints/{endpoint}";
        switch (random.Next(7))
        {
            case 0:
                await api.SetAsync(HttpMethod.Delete, path, merchant.Key);
                break;
            case 1:
                await api.MoveAsync("endpoint secret", merchant.Id, merchant.Key, $"{path}/rotate_secret", new { }, NextKey());
                break;
            case 2:
                await api.SetAsync(HttpMethod.Patch, path, merchant.Key, new { status = "disabled" });
                if (random.Next(2) == 0)
                    await api.SetAsync(HttpMethod.Patch, path, merchant.Key, new { status = "enabled" });
                break;
            case 3:
                // A merchant that mends a server asks for the deliveries that it missed.
                await api.SetAsync(HttpMethod.Patch, path, merchant.Key, new { status = "enabled" });
                await ResendAsync(random, merchant, path);
                break;
            case 4:
                await api.SetAsync(HttpMethod.Post, $"{path}/test", merchant.Key, new { });
                break;
            default:
                await ResendAsync(random, merchant, path);
                break;
        }
    }

    private async Task ResendAsync(Random random, Merchant merchant, string path)
    {
        var reply = await api.SetAsync(
            HttpMethod.Post, $"{path}/resend", merchant.Key,
            new { from = world.Clock.Now.AddDays(-1 - random.Next(4)), to = world.Clock.Now.AddMinutes(-5), include_delivered = random.Next(2) == 0 });
        if (reply is { IsSuccess: true })
            tally.Add("endpoint resends");
    }

    private async Task HoldAsync(Random random, Merchant merchant)
    {
        if (random.Next(3) == 0)
        {
            await SettleAccountsAsync(random, merchant);
            return;
        }

        await api.SetAsync(HttpMethod.Post, "/v1/payout_settings/USD/hold", world.PlatformKey, new { reason = "A look is needed." }, merchant.Id);
        await api.SetAsync(HttpMethod.Post, "/v1/payout_settings/USD/release", world.PlatformKey, new { }, merchant.Id);
    }

    /// <summary>The world outside acts without a request, also on objects that the platform does not know yet.</summary>
    private async Task DisturbAsync(Random random, Merchant merchant)
    {
        switch (random.Next(6))
        {
            case 0 when merchant.Refunds.TryDraw(random, out var refund):
                await TellAcquirerAsync("refund sent back", HttpMethod.Post, $"/control/refunds/{refund}/fail");
                break;
            case 1 when Draw(random, random.Next(2) == 0 ? merchant.Held : merchant.Waiting) is { Payment: { } payment } charge:
                await TellAcquirerAsync("authorization lapsed", HttpMethod.Post, $"/control/payments/{payment}/expire");
                if (random.Next(2) == 0)
                    await (random.Next(2) == 0 ? CaptureAsync(random, merchant, charge) : CancelAsync(random, merchant, charge));
                break;
            case 2 when merchant.Payouts.TryDraw(random, out var payout):
                var found = await api.GetAsync($"/v1/payouts/{payout}", merchant.Key);
                if (found is { IsSuccess: true } && found.Text("provider_reference") is { } reference)
                    await TellAcquirerAsync("payout sent back", HttpMethod.Post, $"/control/payouts/{reference}", new { status = "returned", failure_code = "account_closed" });
                break;
            case 3 when await LatestAsync("payment", "captured", 30) is { Count: > 0 } latest:
                await OpenDisputeAsync(random, latest[random.Next(latest.Count)]);
                break;
            case 4 when await LatestAsync("payment", random.Next(2) == 0 ? "authorized" : "requires_action", 10) is { Count: > 0 } latest:
                await TellAcquirerAsync("authorization lapsed", HttpMethod.Post, $"/control/payments/{latest[random.Next(latest.Count)]}/expire");
                break;
            case 5 when random.Next(2) == 0:
                await TellOfPayoutAsync(random);
                break;
            default:
                await api.SetAsync(HttpMethod.Post, "/v1/dead_letter_replays", world.PlatformKey, new { from = world.Clock.Now.AddDays(-60), to = world.Clock.Now.AddDays(1) });
                break;
        }
    }

    /// <summary>
    /// The last payments or payouts at the acquirer with this status, oldest first. The platform may not know some of them.
    /// </summary>
    private async Task<IReadOnlyList<string>> LatestAsync(string type, string? status, int atMost)
    {
        try
        {
            var journal = await world.Acquirer.GetStringAsync(new Uri("/control/journal", UriKind.Relative));
            return [.. (from line in journal.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                        let entry = JsonNode.Parse(line)!
                        where entry["type"]!.GetValue<string>() == type && (status is null || entry[$"{type}_status"]!.GetValue<string>() == status)
                        select entry["id"]!.GetValue<string>()).TakeLast(atMost)];
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or SocketException or JsonException)
        {
            // The acquirer is down, or went down during the answer.
            return [];
        }
    }

    private async Task SettleAccountsAsync(Random random, Merchant merchant)
    {
        await api.SetAsync(
            HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", world.PlatformKey, new { type = "iban", holder_name = "Händler & Söhne", iban = "DE89370400440532013000", verified = true }, merchant.Id);
        foreach (var currency in (string[])["USD", "JPY"])
        {
            await api.SetAsync(
                HttpMethod.Put, $"/v1/payout_settings/{currency}/bank_account", world.PlatformKey,
                new { type = "us", holder_name = "Merchant", routing_number = "021000021", account_number = Accounts[random.Next(Accounts.Length)], verified = true }, merchant.Id);
        }
    }

    private async Task NewEndpointAsync(Merchant merchant, string[] types, bool isBroken = false)
    {
        if (merchant.IsLive)
            return;
        var reply = await api.MoveAsync("endpoint", merchant.Id, merchant.Key, "/v1/webhook_endpoints", new { url = servers.NewUrl(isBroken), event_types = types }, NextKey());
        if (reply is { IsSuccess: true })
            merchant.Endpoints.Add(reply.Text("id")!);
    }

    private async Task<JsonNode?> TellAcquirerAsync(string what, HttpMethod method, string path, object? body = null)
    {
        try
        {
            var answer = await world.ControlAsync(method, path, body);
            tally.Add(answer is null ? $"outside {what}: not possible" : $"outside {what}");
            return answer;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or SocketException or JsonException)
        {
            // The acquirer is down, or its answer broke off. Then nothing happened, or the outcome is unknown.
            return null;
        }
    }

    private string NextKey() => string.Create(CultureInfo.InvariantCulture, $"{seed}-{Interlocked.Increment(ref _keys)}");

    private static ChargeOfRun? Draw(Random random, Bag<ChargeOfRun> bag) => bag.TryDraw(random, out var charge) ? charge : null;

    private static string Draw(Random random)
    {
        var draw = random.Next(Cards.Sum(card => card.Weight));
        foreach (var (token, weight) in Cards)
        {
            if ((draw -= weight) < 0)
                return token;
        }

        throw new InvalidOperationException("The weights do not add up.");
    }
}
