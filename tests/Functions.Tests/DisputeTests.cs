using System.Globalization;
using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Disputes as merchants and operators see them, against the sandbox processor.</summary>
public sealed class DisputeTests(RunningApp app)
{
    private static readonly byte[] Pdf = "%PDF-1.7 a receipt"u8.ToArray();

    [Fact]
    public async Task Dispute_FromOpenedToLost_MovesTheMoneyAndTellsIt()
    {
        var merchant = await app.CreateMerchantAsync();
        var (charge, dispute) = await DisputedAsync(merchant, reasonCode: "13.1");
        Assert.Equal(("chargeback", "needs_response", "product_not_received"), (dispute.Text("stage"), dispute.Text("status"), dispute.Text("reason")));
        Assert.Equal((10_000, 10_000, 1_500), (dispute.Number("amount"), dispute.Number("withdrawn"), dispute.Number("fee")));
        Assert.Equal(10_000, (await merchant.BalanceAsync()).Disputed);

        await ChangeAsync(dispute, new { status = "lost" });
        var lost = await UntilAsync(merchant, dispute, "lost");
        Assert.True(lost.Json["is_closed"]!.GetValue<bool>());
        Assert.Equal((10_000, 1_500), (lost.Number("withdrawn"), lost.Number("fee")));
        Assert.Equal(0, (await merchant.BalanceAsync()).Disputed);

        var history = Data(await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}/updates"));
        Assert.All(history, update => Assert.Equal(("webhook", charge.Text("provider_reference")), (update["source"]!.GetValue<string>(), update["charge_reference"]!.GetValue<string>())));
        Assert.Equal(["needs_response", "lost"], history.Select(update => update["status"]!.GetValue<string>()).Distinct());
        var events = Data(await merchant.GetAsync($"/v1/events?object={dispute.Text("id")}")).Select(e => e["type"]!.GetValue<string>()).ToHashSet();
        Assert.Superset(new HashSet<string> { "dispute.created", "dispute.funds_withdrawn", "dispute.updated", "dispute.closed" }, events);
    }

    [Fact]
    public async Task Submit_EvidenceThatWins_GivesTheMoneyAndTheFeeBackOnce()
    {
        var merchant = await app.CreateMerchantAsync();
        var (_, dispute) = await DisputedAsync(merchant, metadata: new { tracking_number = "1Z999", cart = "7" });
        var path = $"/v1/disputes/{dispute.Text("id")}";

        var suggestion = await merchant.GetAsync($"{path}/evidence/suggestion");
        Assert.Equal("1Z999", suggestion.Json["fields"]!["tracking_number"]!.GetValue<string>());
        Assert.Null(suggestion.Json["fields"]!["cart"]);
        Assert.Equal((409, "state_conflict"), await merchant.PostAsync($"{path}/submit", new { }) is var empty ? (empty.Status, empty.Code) : default);

        Assert.Equal(200, (await PutAsync(merchant, $"{path}/evidence", new { text = "They signed for it.", fields = new { tracking_number = "1Z999", mistake = "x" } })).Status);
        var draft = await PutAsync(merchant, $"{path}/evidence", new { fields = new { mistake = (string?)null, note = "winning_evidence" } });
        Assert.Equal(["note", "tracking_number"], draft.Json["fields"]!.AsObject().Select(field => field.Key).Order());
        Assert.Equal("They signed for it.", draft.Text("text"));
        var files = await PutAsync(merchant, $"{path}/evidence/files?purpose=receipt&name=receipt.pdf", Pdf);
        Assert.Equal(("application/pdf", Pdf.Length), (files.Json["files"]![0]!["content_type"]!.GetValue<string>(), files.Json["files"]![0]!["size"]!.GetValue<int>()));

        var key = RunningApp.NewKey();
        var first = await merchant.PostAsync($"{path}/submit", new { }, key);
        var again = await merchant.PostAsync($"{path}/submit", new { }, key);
        Assert.Equal((200, "under_review"), (first.Status, first.Text("status")));
        Assert.Equal((200, first.Body, "true"), (again.Status, again.Body, again.Headers["Idempotent-Replayed"]));
        var won = await UntilAsync(merchant, dispute, "won");
        Assert.Equal((0, 0), (won.Number("withdrawn"), won.Number("fee")));
        Assert.Equal((409, "state_conflict"), await merchant.PostAsync($"{path}/submit", new { }) is var closed ? (closed.Status, closed.Code) : default);
        Assert.Equal((409, "state_conflict"), await PutAsync(merchant, $"{path}/evidence", new { text = "more" }) is var late ? (late.Status, late.Code) : default);
        Assert.Equal(0, (await merchant.BalanceAsync()).Disputed);
    }

    [Fact]
    public async Task Evidence_FileThatIsNone_IsRefusedByTypeSizeAndPurpose()
    {
        var merchant = await app.CreateMerchantAsync();
        var (_, dispute) = await DisputedAsync(merchant);
        var path = $"/v1/disputes/{dispute.Text("id")}/evidence/files";

        var program = await PutAsync(merchant, $"{path}?purpose=receipt&name=receipt.pdf", "MZ a program"u8.ToArray());
        Assert.Equal((400, "parameter_invalid", "file"), (program.Status, program.Code, program.Param));
        var large = new byte[(5 * 1024 * 1024) + 1];
        Pdf.CopyTo(large, 0);
        Assert.Equal((413, "body_too_large"), await PutAsync(merchant, $"{path}?purpose=receipt&name=receipt.pdf", large) is var tooLarge ? (tooLarge.Status, tooLarge.Code) : default);
        var nameless = await PutAsync(merchant, $"{path}?purpose=receipt", Pdf);
        Assert.Equal((400, "name"), (nameless.Status, nameless.Param));
        Assert.Equal((400, "purpose"), await PutAsync(merchant, path, Pdf) is var purposeless ? (purposeless.Status, purposeless.Param) : default);

        var added = await PutAsync(merchant, $"{path}?purpose=receipt&name=receipt.pdf", Pdf);
        await PutAsync(merchant, $"{path}?purpose=receipt&name=receipt.pdf", Pdf);
        var hash = Assert.Single(Files(await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}/evidence")))["hash"]!.GetValue<string>();
        Assert.Equal(200, added.Status);
        Assert.Empty(Files(await app.SendAsync(HttpMethod.Delete, $"{path}/{hash}", merchant.Key)));
        Assert.Equal(404, (await app.SendAsync(HttpMethod.Delete, $"{path}/{hash}", merchant.Key)).Status);
    }

    [Fact]
    public async Task Accept_OpenDispute_LeavesTheMoneyWithTheCardholder()
    {
        var merchant = await app.CreateMerchantAsync();
        var (_, dispute) = await DisputedAsync(merchant);
        Assert.Equal((200, "accepted"), await merchant.PostAsync($"/v1/disputes/{dispute.Text("id")}/accept", new { }) is var accepted ? (accepted.Status, accepted.Text("status")) : default);
        Assert.Equal(0, (await merchant.BalanceAsync()).Disputed);
        Assert.Equal(409, (await merchant.PostAsync($"/v1/disputes/{dispute.Text("id")}/accept", new { })).Status);
    }

    [Fact]
    public async Task Accept_EarlyWarning_IsRefusedForNoMoneyHasMoved()
    {
        var merchant = await app.CreateMerchantAsync();
        var (_, dispute) = await DisputedAsync(merchant, stage: "early_warning");
        Assert.Equal(("warning_needs_response", 0, 0), (dispute.Text("status"), dispute.Number("withdrawn"), dispute.Number("fee")));
        Assert.Equal((409, "state_conflict"), await merchant.PostAsync($"/v1/disputes/{dispute.Text("id")}/accept", new { }) is var refused ? (refused.Status, refused.Code) : default);
    }

    [Fact]
    public async Task List_ByDueDate_PagesSoonestFirstAndFilters()
    {
        var merchant = await app.CreateMerchantAsync();
        var now = TimeProvider.System.GetUtcNow();
        var ids = new List<string>();
        foreach (var days in (int[])[30, 10, 20])
            ids.Add((await DisputedAsync(merchant, dueBy: now.AddDays(days))).Dispute.Text("id"));
        var first = await merchant.GetAsync("/v1/disputes?limit=2");
        Assert.Equal([ids[1], ids[2]], Ids(first));
        Assert.True(first.Json["has_more"]!.GetValue<bool>());
        var second = await merchant.GetAsync($"/v1/disputes?limit=2&starting_after={ids[2]}");
        Assert.Equal([ids[0]], Ids(second));
        Assert.False(second.Json["has_more"]!.GetValue<bool>());
        var soon = now.AddDays(15).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        Assert.Equal([ids[1]], Ids(await merchant.GetAsync($"/v1/disputes?status=needs_response&due_before={soon}")));
        Assert.Empty(Ids(await merchant.GetAsync("/v1/disputes?status=won")));
        Assert.Equal((400, "status"), await merchant.GetAsync("/v1/disputes?status=open") is var badStatus ? (badStatus.Status, badStatus.Param) : default);
        Assert.Equal((400, "due_before"), await merchant.GetAsync("/v1/disputes?due_before=soon") is var badTime ? (badTime.Status, badTime.Param) : default);
    }

    [Fact]
    public async Task Dispute_OfAnotherMerchant_IsNotThere()
    {
        var (_, dispute) = await DisputedAsync(await app.CreateMerchantAsync());
        var stranger = await app.CreateMerchantAsync();
        var path = $"/v1/disputes/{dispute.Text("id")}";
        foreach (var at in (string[])["", "/updates", "/evidence", "/evidence/suggestion"])
            Assert.Equal((404, "not_found"), await stranger.GetAsync(path + at) is var answer ? (answer.Status, answer.Code) : default);
        Assert.Equal(404, (await stranger.PostAsync($"{path}/submit", new { })).Status);
        Assert.Equal(404, (await stranger.PostAsync($"{path}/accept", new { })).Status);
        Assert.Equal(404, (await PutAsync(stranger, $"{path}/evidence", new { text = "x" })).Status);
        Assert.Empty(Ids(await stranger.GetAsync("/v1/disputes")));
    }

    [Fact]
    public async Task Import_KnownUnknownAndRepeated_SaysWhatBecameOfEach()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var (known, unknown) = ("imp_" + RunningApp.NewKey(), "imp_" + RunningApp.NewKey());
        var body = new { provider = "sandbox", disputes = new[] { Entry(known, charge.Text("provider_reference")), Entry(known, charge.Text("provider_reference")), Entry(unknown, "nobody-" + unknown) } };
        var import = await app.PostAsync("/v1/disputes/import", app.PlatformKey, body);
        Assert.Equal((200, 1, 1, 1), (import.Status, import.Number("applied"), import.Number("duplicate"), import.Number("unmatched")));
        var dispute = await merchant.GetAsync($"/v1/disputes/{import.Json["results"]![0]!["dispute"]!.GetValue<string>()}");
        Assert.Equal((known, "needs_response", 10_000), (dispute.Text("provider_dispute_id"), dispute.Text("status"), dispute.Number("withdrawn")));

        var waiting = await EveryPageAsync("/v1/unmatched_dispute_updates?provider=sandbox&limit=100", update => update["cursor"]!.GetValue<string>());
        Assert.Contains(waiting, update => update["provider_dispute_id"]!.GetValue<string>() == unknown);
        var repeated = await app.PostAsync("/v1/disputes/import", app.PlatformKey, body);
        Assert.Equal((0, 3), (repeated.Number("applied"), repeated.Number("duplicate")));
        Assert.Equal(1, (await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}")).Number("version"));
    }

    [Fact]
    public async Task Import_OneBadEntry_NamesItAndStoresNothing()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var refused = await app.PostAsync(
            "/v1/disputes/import",
            app.PlatformKey,
            new { provider = "sandbox", disputes = new[] { Entry("imp_" + RunningApp.NewKey(), charge.Text("provider_reference")), Entry("imp_" + RunningApp.NewKey(), "x", status: "warning_closed") } });
        Assert.Equal((400, "disputes[1].status"), (refused.Status, refused.Param));
        Assert.Empty(Ids(await merchant.GetAsync("/v1/disputes")));
        Assert.Equal(403, (await merchant.PostAsync("/v1/disputes/import", new { })).Status);
        Assert.Equal(403, (await merchant.GetAsync("/v1/unmatched_dispute_updates")).Status);
        Assert.Equal(403, (await merchant.GetAsync("/v1/dispute_files")).Status);
    }

    [Fact]
    public async Task Webhook_BeforeTheImportThatSaysTheSame_IsOneDispute()
    {
        var merchant = await app.CreateMerchantAsync();
        var (charge, dispute) = await DisputedAsync(merchant);
        var update = Assert.Single(Data(await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}/updates")), u => u["status"]!.GetValue<string>() == "needs_response");
        var import = await app.PostAsync("/v1/disputes/import", app.PlatformKey, new
        {
            provider = "sandbox",
            disputes = new[]
            {
                new
                {
                    dispute_id = dispute.Text("provider_dispute_id"), charge_reference = charge.Text("provider_reference"), stage = "chargeback", status = "needs_response", amount = 10_000,
                    currency = "EUR", network = update["network"]!.GetValue<string>(), reason_code = update["network_reason_code"]!.GetValue<string>(),
                    evidence_due_by = update["evidence_due_by"]!.GetValue<string>(), occurred_at = update["occurred_at"]!.GetValue<string>(),
                },
            },
        });
        Assert.Equal(1, import.Number("duplicate"));
    }

    [Fact]
    public async Task EarlyWarning_BelowTheRulesAmount_IsRefundedAndPrevented()
    {
        var merchant = await app.CreateMerchantAsync();
        Assert.Equal((200, 10_000), await PutAsync(merchant, "/v1/dispute_settings/EUR", new { refund_early_warnings_up_to = 10_000 }) is var rule ? (rule.Status, rule.Number("refund_early_warnings_up_to")) : default);
        Assert.Equal((400, "refund_early_warnings_up_to"), await PutAsync(merchant, "/v1/dispute_settings/EUR", new { refund_early_warnings_up_to = 0 }) is var bad ? (bad.Status, bad.Param) : default);
        Assert.Single(Data(await merchant.GetAsync("/v1/dispute_settings")));

        var (charge, warning) = await DisputedAsync(merchant, stage: "early_warning");
        var prevented = await UntilAsync(merchant, warning, "prevented");
        Assert.Equal((0, 0), (prevented.Number("withdrawn"), prevented.Number("fee")));
        var refund = Assert.Single(Data(await merchant.GetAsync($"/v1/refunds?charge={charge.Text("id")}")));
        Assert.Equal(("succeeded", 10_000, warning.Text("id")), (refund["status"]!.GetValue<string>(), refund["amount"]!.GetValue<int>(), refund["metadata"]!["dispute"]!.GetValue<string>()));
        var history = Data(await merchant.GetAsync($"/v1/disputes/{warning.Text("id")}/updates"));
        Assert.Contains(history, update => update["source"]!.GetValue<string>() == "rule" && update["status"]!.GetValue<string>() == "prevented");
    }

    [Fact]
    public async Task Refund_OfAChargeThatABankTookBack_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var (charge, dispute) = await DisputedAsync(merchant);
        Assert.Equal((409, "state_conflict"), await merchant.PostAsync("/v1/refunds", new { charge = charge.Text("id") }) is var refused ? (refused.Status, refused.Code) : default);
        await ChangeAsync(dispute, new { status = "won" });
        await UntilAsync(merchant, dispute, "won");
        Assert.Equal(201, (await merchant.PostAsync("/v1/refunds", new { charge = charge.Text("id") })).Status);
    }

    private static object Entry(string id, string reference, string status = "needs_response") => new
    {
        dispute_id = id,
        charge_reference = reference,
        stage = "chargeback",
        status,
        amount = 10_000,
        currency = "EUR",
        network = "visa",
        reason_code = "10.4",
        occurred_at = "2026-03-01T09:00:00Z",
    };

    /// <summary>A captured charge of EUR 100.00 that the processor disputes, seen as soon as its webhook has told.</summary>
    private async Task<(Answer Charge, Answer Dispute)> DisputedAsync(
        TestMerchant merchant, string stage = "chargeback", string reasonCode = "10.4", DateTimeOffset? dueBy = null, object? metadata = null)
    {
        var charge = await merchant.PostAsync("/v1/charges", new { amount = 10_000, currency = "EUR", payment_method = "tok_visa", metadata });
        Assert.Equal("captured", charge.Text("status"));
        await app.AcquirerAsync(
            HttpMethod.Post, "/control/disputes", new { payment_id = charge.Text("provider_reference"), stage, reason_code = reasonCode, evidence_due_by = dueBy });
        var found = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/disputes?charge={charge.Text("id")}"), list => Data(list).Count == 1, "the processor's dispute is here");
        return (charge, await merchant.GetAsync($"/v1/disputes/{Ids(found)[0]}"));
    }

    private Task<JsonNode?> ChangeAsync(Answer dispute, object change) => app.AcquirerAsync(HttpMethod.Post, $"/control/disputes/{dispute.Text("provider_dispute_id")}", change);

    private static Task<Answer> UntilAsync(TestMerchant merchant, Answer dispute, string status) => RunningApp.EventuallyAsync(
        () => merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}"), answer => answer.Text("status") == status, $"the dispute is {status}");

    private Task<Answer> PutAsync(TestMerchant merchant, string path, object body) => app.SendAsync(HttpMethod.Put, path, merchant.Key, body);

    private async Task<List<JsonNode>> EveryPageAsync(string path, Func<JsonNode, string> cursor)
    {
        var all = new List<JsonNode>();
        var after = "";
        while (true)
        {
            var page = await app.GetAsync(path + after, app.PlatformKey);
            all.AddRange(Data(page));
            if (!page.Json["has_more"]!.GetValue<bool>())
                return all;
            after = $"&starting_after={cursor(all[^1])}";
        }
    }

    private static IReadOnlyList<JsonNode> Data(Answer answer) => [.. answer.Json["data"]!.AsArray().Select(node => node!)];

    private static IReadOnlyList<string> Ids(Answer answer) => [.. Data(answer).Select(node => node["id"]!.GetValue<string>())];

    private static IReadOnlyList<JsonNode> Files(Answer answer) => [.. answer.Json["files"]!.AsArray().Select(node => node!)];
}
