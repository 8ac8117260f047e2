using System.Text;
using Microsoft.Extensions.Time.Testing;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Stripe;

namespace Payments.Domain.Tests.Providers;

/// <summary>Answers to Stripe's disputes, against stand-ins with the shapes of its API.</summary>
public sealed class StripeDisputeProviderTests
{
    private static readonly EvidencePack NoEvidence = new(null, new Dictionary<string, string>(), []);

    [Fact]
    public async Task Submit_TextFieldsAndFiles_AreSentWhereTheyBelong()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("needs_response"))
            .Answers(200, """{"id":"file_1","object":"file","purpose":"dispute_evidence"}""")
            .Answers(200, """{"id":"file_2","object":"file","purpose":"dispute_evidence"}""")
            .Answers(200, Dispute("under_review"));
        var evidence = new EvidencePack(
            "It was delivered.",
            new Dictionary<string, string> { ["customer"] = "J. Doe", ["tracking_number"] = "1Z", ["product_description"] = "A bike", ["charged_on"] = "2026-03-01" },
            [File('a', "receipt"), File('b', "photo of the parcel")]);

        var answer = await Provider(api).RespondAsync("du_1", DisputeResponseKind.Submit, evidence, CancellationToken.None);

        Assert.Equal((DisputeAnswerKind.Done, DisputeStatus.UnderReview), (answer.Kind, answer.Update!.Status));
        Assert.Equal((Some.Start, DisputeSource.Merchant), (answer.Update.OccurredAt, answer.Update.Source));
        Assert.Equal(["/v1/disputes/du_1", "/v1/files", "/v1/files", "/v1/disputes/du_1"], api.Requests.Select(request => request.Target));
        Assert.StartsWith("multipart/form-data", api.Requests[1].Headers["Content-Type"], StringComparison.Ordinal);
        Assert.Contains("dispute_evidence", api.Requests[1].Body, StringComparison.Ordinal);
        Assert.Contains("content of a", api.Requests[1].Body, StringComparison.Ordinal);
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["evidence[customer_name]"] = "J. Doe",
                ["evidence[shipping_tracking_number]"] = "1Z",
                ["evidence[product_description]"] = "A bike",
                ["evidence[uncategorized_text]"] = "It was delivered.\ncharged_on: 2026-03-01",
                ["evidence[receipt]"] = "file_1",
                ["evidence[uncategorized_file]"] = "file_2",
                ["submit"] = "true",
            },
            api.Requests[3].Form);
        Assert.Equal("2024-06-20", api.Requests[3].Headers["Stripe-Version"]);
    }

    [Fact]
    public async Task Accept_ClosesTheDispute()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("needs_response")).Answers(200, Dispute("lost"));

        var answer = await Provider(api).RespondAsync("du_1", DisputeResponseKind.Accept, NoEvidence, CancellationToken.None);

        Assert.Equal((DisputeAnswerKind.Done, DisputeStatus.Lost), (answer.Kind, answer.Update!.Status));
        Assert.Equal("/v1/disputes/du_1/close", api.Requests[1].Target);
        Assert.StartsWith("dispute-du_1-", api.Requests[1].Headers["Idempotency-Key"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Respond_AnsweredBefore_SendsNothing()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("under_review"));

        var answer = await Provider(api).RespondAsync("du_1", DisputeResponseKind.Submit, NoEvidence with { Text = "again" }, CancellationToken.None);

        Assert.Equal((DisputeAnswerKind.Done, DisputeStatus.UnderReview), (answer.Kind, answer.Update!.Status));
        Assert.Single(api.Requests);
    }

    [Fact]
    public async Task Respond_AfterAnUnknownEnd_RepeatsTheSameUnderTheSameKey()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("needs_response")).Drops().Answers(200, Dispute("needs_response")).Answers(200, Dispute("under_review"));
        var provider = Provider(api);
        var evidence = NoEvidence with { Text = "It was delivered." };

        Assert.Equal(DisputeAnswerKind.Unknown, (await provider.RespondAsync("du_1", DisputeResponseKind.Submit, evidence, CancellationToken.None)).Kind);
        Assert.Equal(DisputeAnswerKind.Done, (await provider.RespondAsync("du_1", DisputeResponseKind.Submit, evidence, CancellationToken.None)).Kind);

        Assert.Equal((api.Requests[1].Body, api.Requests[1].Headers["Idempotency-Key"]), (api.Requests[3].Body, api.Requests[3].Headers["Idempotency-Key"]));
    }

    [Theory]
    [InlineData(400, """{"error":{"type":"invalid_request_error","message":"This dispute is already closed"}}""", DisputeAnswerKind.Refused)]
    [InlineData(404, """{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such dispute"}}""", DisputeAnswerKind.Refused)]
    [InlineData(401, """{"error":{"type":"invalid_request_error"}}""", DisputeAnswerKind.Unknown)]
    [InlineData(409, """{"error":{"type":"idempotency_error"}}""", DisputeAnswerKind.Unknown)]
    [InlineData(429, "{}", DisputeAnswerKind.Unknown)]
    [InlineData(500, "{}", DisputeAnswerKind.Unknown)]
    [InlineData(200, "<html>", DisputeAnswerKind.Unknown)]
    [InlineData(200, "{}", DisputeAnswerKind.Unknown)]
    public async Task Submit_AnyOtherAnswer_IsRefusedOnlyWhereStripeSaysSo(int status, string body, DisputeAnswerKind expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("needs_response")).Answers(status, body, ("Retry-After", "60"));

        var answer = await Provider(api).RespondAsync("du_1", DisputeResponseKind.Submit, NoEvidence with { Text = "text" }, CancellationToken.None);

        Assert.Equal(expected, answer.Kind);
        Assert.Equal(2, api.Requests.Count);
    }

    [Fact]
    public async Task Submit_WhatStripeCannotTake_IsRefusedBeforeAnythingIsSent()
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(200, Dispute("needs_response"));
        var provider = Provider(api);

        var tooLong = await provider.RespondAsync("du_1", DisputeResponseKind.Submit, NoEvidence with { Text = new string('x', 20_001) }, CancellationToken.None);
        var tooLarge = await provider.RespondAsync("du_1", DisputeResponseKind.Submit, NoEvidence with { Files = [File('a', "receipt") with { Size = 4_500_001 }] }, CancellationToken.None);
        var gone = await provider.RespondAsync("du_1", DisputeResponseKind.Submit, NoEvidence with { Files = [File('0', "receipt")] }, CancellationToken.None);

        Assert.All([tooLong, tooLarge, gone], answer => Assert.Equal(DisputeAnswerKind.Refused, answer.Kind));
        Assert.All(api.Requests, request => Assert.Equal("GET", request.Method));
    }

    [Theory]
    [InlineData(404, DisputeAnswerKind.Refused)]
    [InlineData(500, DisputeAnswerKind.Unknown)]
    public async Task Respond_CannotBeLookedUp_SendsNothing(int status, DisputeAnswerKind expected)
    {
        await using var api = await StandIn.StartAsync();
        api.Answers(status, "{}");

        var answer = await Provider(api).RespondAsync("du_1", DisputeResponseKind.Accept, NoEvidence, CancellationToken.None);

        Assert.Equal(expected, answer.Kind);
        Assert.All(api.Requests, request => Assert.Equal("GET", request.Method));
    }

    private static StripeDisputeProvider Provider(StandIn api) => new(
        "stripe",
        api.Http(),
        api.Http(),
        (_, _) => ValueTask.FromResult<ProviderSecrets?>(new ProviderSecrets(new Dictionary<string, string> { ["secret_key"] = "sk_test_x" })),
        (_, file, _) => Task.FromResult(file.Hash[0] == '0' ? null : Encoding.UTF8.GetBytes($"content of {file.Hash[0]}")),
        new FakeTimeProvider(Some.Start));

    private static EvidenceFile File(char hash, string purpose) => new(new string(hash, 64), purpose, $"{purpose}.pdf", "application/pdf", 12);

    private static string Dispute(string status) => $$"""
        {"id":"du_1","object":"dispute","amount":1050,"currency":"eur","charge":"ch_1","payment_intent":"pi_1","status":"{{status}}","reason":"fraudulent","evidence_details":{"due_by":1775001600},"balance_transactions":[]}
        """;
}
