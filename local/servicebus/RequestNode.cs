using System.Collections.Concurrent;
using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;
using Microsoft.Azure.Amqp.Framing;

namespace Payments.Local.ServiceBus;

/// <summary>The answer to a request: a status like HTTP's, a text, and a body or an error condition.</summary>
internal readonly record struct Reply(int Status, string Text, AmqpMap? Body = null, AmqpSymbol Condition = default)
{
    public static Reply Ok(AmqpMap? body = null) => new(200, "OK", body);

    public static Reply Refused(Error error) =>
        new(BusErrors.StatusOf(error.Condition), error.Description ?? "", Condition: error.Condition);
}

/// <summary>The names of the status properties: the token node and the management nodes spell them differently.</summary>
internal sealed record ReplyNames(string Status, string Text)
{
    public static ReplyNames Tokens { get; } = new("status-code", "status-description");
    public static ReplyNames Management { get; } = new("statusCode", "statusDescription");
}

/// <summary>Request and response over a pair of links: requests arrive on one, replies leave on the one that reply-to names.</summary>
internal sealed class RequestNode
{
    private static readonly MapKey TrackingId = new("com.microsoft:tracking-id");

    private readonly ConcurrentDictionary<string, SendingAmqpLink> _replyLinks = new();

    public void Open(AmqpLink link, ReplyNames names, Func<AmqpMessage, Task<Reply?>> handle)
    {
        if (link is SendingAmqpLink replies)
        {
            var address = ((Target)replies.Settings.Target).Address.ToString()!;
            _replyLinks[address] = replies;
            replies.Closed += (_, _) => _replyLinks.TryRemove(KeyValuePair.Create(address, replies));
            return;
        }
        var requests = (ReceivingAmqpLink)link;
        requests.RegisterMessageListener(request => _ = AnswerAsync(requests, request, names, handle));
    }

    private async Task AnswerAsync(ReceivingAmqpLink link, AmqpMessage request, ReplyNames names, Func<AmqpMessage, Task<Reply?>> handle)
    {
        Reply? answer;
        try
        {
            answer = await handle(request);
        }
        catch (AmqpException refusal)
        {
            answer = Reply.Refused(refusal.Error);
        }
        catch (Exception bug)
        {
            // The client sees the bug at once; an unanswered request would only time out.
            answer = new Reply(500, bug.ToString(), Condition: AmqpErrorCode.InternalError);
        }
        if (answer is { } reply && _replyLinks.TryGetValue(request.Properties.ReplyTo.ToString()!, out var replies))
        {
            replies.SendMessageNoWait(Encode(request, reply, names), AmqpConstants.EmptyBinary, AmqpConstants.NullBinary);
            link.AcceptMessage(request, true, true);
        }
        request.Dispose();
    }

    private static AmqpMessage Encode(AmqpMessage request, Reply reply, ReplyNames names)
    {
        var response = reply.Body is null ? AmqpMessage.Create() : AmqpMessage.Create(new AmqpValue { Value = reply.Body });
        response.Properties.CorrelationId = request.Properties.MessageId;
        var properties = response.ApplicationProperties.Map;
        properties[names.Status] = reply.Status;
        properties[names.Text] = reply.Text;
        if (reply.Condition.Value is not null)
            properties["errorCondition"] = reply.Condition;
        if (request.ApplicationProperties.Map.TryGetValue<string>(TrackingId, out var trackingId))
            properties[TrackingId] = trackingId;
        return response;
    }
}
